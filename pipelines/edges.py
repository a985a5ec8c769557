"""The edges of the graph that DVC cannot read from params.yaml: a row that starts from another is trained after it.

DVC's `foreach` gives all rows as many dependencies, and one more would have every row trained again. So where a row
starts from another, dvc.yaml says row by row of which file its training needs a value too; for a row that needs none it
is one that its training has anyway, which changes nothing. Without such rows dvc.yaml is as it comes.

The value that stands for a trained network is its final loss, all digits of it: DVC then trains the one anew when the
other was. What stands for pairs is one digest of all their files.
"""

import re
from pathlib import Path
from typing import NamedTuple

from fm.errors import UserError
from pipelines import params
from pipelines.further_stages import with_stages
from pipelines.params import Params
from pipelines.project import METRICS, whole_file
from pipelines.project import PAIRS as FOLDER

FILE = Path("dvc.yaml")
INDEX = "pairs.json"

PAIRS = """\
  pairs: # pipelines/edges.py keeps this stage: a row is trained on pairs that another one's network makes
    foreach: {%s}
    do:
      cmd: sh infra/python.sh -m pipelines.pairs ${key}
      deps: ["artifacts/inputs/pairs/${key}.json", "artifacts/models/${item}", %s]
      outs: ["artifacts/pairs/${key}"]
      metrics:
        - metrics/pairs/${key}.json: {cache: false}

"""
WHERE_PAIRS = re.compile(r"^  pairs:.*\n(    .*\n)*\n", re.MULTILINE)
ROWS = re.compile(r"(?<=^  train:\n    foreach: )(\$\{methods\}|#.*(\n      .*)+)$", re.MULTILINE)
PLAIN, BY_ROW = "${methods}", "# pipelines/edges.py keeps these lines: a row starts from another"
KEYS, AND_OF_ROW = (
    '"methods.${key}.objective", "methods.${key}.network"',
    (', "${item.file}": ["${item.key}"], "${item.pairs}": ["${item.digest}"]'),
)


class Value(NamedTuple):
    """One value of a file, which DVC tracks."""

    file: str
    key: str


NOTHING_MORE = Value(str(params.FILE), "train")


def needs(settings: Params) -> dict[str, tuple[Value, Value]]:
    """What each row's training needs beside its inputs and the data: of the network that it starts from, and of its
    pairs. Empty where no row needs anything."""
    if all(row.start is None for row in settings.methods.values()):
        return {}
    return {
        name: (
            NOTHING_MORE if row.start is None else Value(str(METRICS / "train" / f"{row.start}.json"), "final_loss"),
            NOTHING_MORE if row.pairs is None else Value(str(FOLDER / name / INDEX), "digest"),
        )
        for name, row in settings.methods.items()
    }


def of_pairs(settings: Params) -> dict[str, str]:
    """The rows that are trained on pairs, and those whose networks make them."""
    found = {name: row.start for name, row in settings.methods.items() if row.pairs is not None}
    return {name: start for name, start in found.items() if start is not None}


def with_edges(text: str, settings: Params) -> str:
    """The text of dvc.yaml with the edges that settings ask for, and no others.

    Raises:
        UserError: it has no such stages as the one that comes with the project.
    """
    needed = needs(settings)
    if not ROWS.search(text) or text.count(KEYS) != 1:
        if not needed:
            return text
        raise UserError(f"{FILE}: `train` is not as it comes with the project, so rows cannot start from others")
    lines = [
        f"      {name}: {{file: {start.file}, key: {start.key}, pairs: {pairs.file}, digest: {pairs.key}}}"
        for name, (start, pairs) in needed.items()
    ]
    drawn = ", ".join(f"{name}: {start}" for name, start in of_pairs(settings).items())
    data = "data/encoded, data/prepared" if settings.is_encoded else "data/prepared"
    stage = PAIRS % (drawn, data) if drawn else ""
    text = WHERE_PAIRS.sub("", text).replace("  train:\n", f"{stage}  train:\n", 1)
    text = ROWS.sub(lambda _: "\n".join([BY_ROW, *lines]) if lines else PLAIN, text)
    return text.replace(KEYS + AND_OF_ROW, KEYS).replace(KEYS, KEYS + AND_OF_ROW if lines else KEYS)


def renew(root: Path) -> bool:
    """Give dvc.yaml the edges and further stages that params.yaml asks for; whether others were there.

    Raises:
        ParamsError: params.yaml has a mistake.
        UserError: dvc.yaml is another than the one that comes with the project.
    """
    file, settings = root / FILE, root / params.FILE
    if not file.exists() or not settings.exists():
        return False
    before = file.read_text(encoding="utf-8")
    asked = params.load(settings)
    after = with_edges(with_stages(before, asked), asked)
    if after != before:
        with whole_file(file) as partial:
            partial.write_text(after, encoding="utf-8")
    return after != before


def require(root: Path) -> None:
    """That DVC, which has read dvc.yaml already, knows the edges. Raises UserError where it did not: it does now."""
    if renew(root):
        raise UserError(
            f"{FILE}: {params.FILE} asks for other stages, or for rows that start from others; now it has "
            "them: run this again"
        )
