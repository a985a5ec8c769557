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


CODEC = """\
  codec: # pipelines/further_stages.py keeps this stage: networks are trained on the latents of its autoencoder
    cmd: sh infra/python.sh -m pipelines.codec
    deps: [artifacts/features, artifacts/inputs/codec.json, data/prepared]
    params: [codec]
    outs: [artifacts/codec]
    metrics:
      - metrics/codec.json: {cache: false}

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
            Change("      - metrics/evaluate\n", "      - metrics/encode.json\n      - metrics/evaluate\n"),
        ),
    ),
    "codec": Further(
        CODEC,
        "encode",
        (
            Change(
                "deps: [artifacts/inputs/encode.json, data/prepared]",
                "deps: [artifacts/codec, artifacts/inputs/encode.json, data/prepared]",
            ),
            Change("      - metrics/encode.json\n", "      - metrics/codec.json\n      - metrics/encode.json\n"),
        ),
    ),
}
"""Each after the one that it stands before."""


def asked(settings: Params) -> list[str]:
    """Those that settings ask for, as STAGES has them."""
    wanted = {"encode": settings.is_encoded, "codec": settings.codec.of_latents}
    return [name for name in STAGES if wanted[name]]


def with_stages(text: str, settings: Params) -> str:
    """The text of dvc.yaml with the further stages that settings ask for, and no others.

    Raises:
        UserError: it has no such stages around them as the one that comes with the project.
    """
    for name, stage in reversed(STAGES.items()):
        text = re.sub(rf"^  {name}: # pipelines/further_stages.*\n(    .*\n)*\n", "", text, flags=re.MULTILINE)
        for plain, changed in stage.changes:
            text = text.replace(changed, plain)
    for name in asked(settings):
        text = inserted(text, name)
    return text


def inserted(text: str, name: str) -> str:
    stage = STAGES[name]
    for plain, changed in (*stage.changes, Change(f"\n  {stage.before}:", f"\n{stage.text}  {stage.before}:")):
        if text.count(plain) != 1:
            raise UserError(f"dvc.yaml is not as it comes with the project, so it cannot have the stage {name}")
        text = text.replace(plain, changed)
    return text
