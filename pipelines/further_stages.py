"""The stages of dvc.yaml that not every dataset needs: there for those settings that ask for them.

Who reads what they make depends on it, and on nothing where they are not there: without them dvc.yaml is as it comes.
"""

import re
from typing import NamedTuple

from fm.errors import UserError
from pipelines.params import Params

ENCODE = """\
  encode: # pipelines/further_stages.py keeps this stage: networks are trained on what it makes of the prepared data
    cmd: sh infra/python.sh -m pipelines.encode
    deps: [artifacts/inputs/encode.json, data/prepared]
    outs: [data/encoded]
    metrics:
      - metrics/encode.json: {cache: false}

"""


class Change(NamedTuple):
    """A text of dvc.yaml as it comes, and as it is where a stage is there."""

    plain: str
    changed: str


class Further(NamedTuple):
    """A stage, and what others then say of it.

    Attributes:
        before: the stage that it stands before.
    """

    text: str
    before: str
    changes: tuple[Change, ...]


STAGES = {
    "encode": Further(
        ENCODE,
        "train",
        (
            Change(
                'deps: ["artifacts/inputs/train/${key}.json", data/prepared]',
                'deps: ["artifacts/inputs/train/${key}.json", data/encoded, data/prepared]',
            ),
            Change(
                "      - artifacts/snapshots\n      - data/prepared\n",
                "      - artifacts/snapshots\n      - data/encoded\n      - data/prepared\n",
            ),
        ),
    )
}


def asked(settings: Params) -> list[str]:
    """Those that settings ask for, in their order."""
    return ["encode"] if settings.dataset.is_encoded else []


def with_stages(text: str, settings: Params) -> str:
    """The text of dvc.yaml with the further stages that settings ask for, and no others.

    Raises:
        UserError: it has no such stages around them as the one that comes with the project.
    """
    for name, stage in STAGES.items():
        text = re.sub(rf"^  {name}: # pipelines/further_stages.*\n(    .*\n)*\n", "", text, flags=re.MULTILINE)
        for plain, changed in stage.changes:
            text = text.replace(changed, plain)
    for name in asked(settings):
        text = inserted(text, name)
    return text


def inserted(text: str, name: str) -> str:
    stage = STAGES[name]
    for plain, changed in (*stage.changes, Change(f"\n  {stage.before}:\n", f"\n{stage.text}  {stage.before}:\n")):
        if text.count(plain) != 1:
            raise UserError(f"dvc.yaml is not as it comes with the project, so it cannot have the stage {name}")
        text = text.replace(plain, changed)
    return text
