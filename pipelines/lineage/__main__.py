"""Where a registered model comes from, and what came of some data, a commit, settings or a run.

python -m pipelines.lineage fashion-mnist-generator@champion                 every link, each checked
python -m pipelines.lineage fashion-mnist-generator/3 --reproduce           train it again and compare the weights
python -m pipelines.lineage --commit 1a2b3c4                                 and back
"""

import argparse
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fm.errors import UserError
from pipelines.lineage.links import Link, links
from pipelines.lineage.traced import EVALUATION, TRAINING, traced
from pipelines.program import run
from pipelines.project import ROOT
from pipelines.records import provenance, tracking
from pipelines.registry.versions import asking, find_version
from pipelines.words import number
from pipelines.worktree import WorktreeError, commit_of

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

COLOURS = {"ok": "green", "missing": "red", "differs": "red", "unknown": "yellow"}
WIDE = 400
BACK = {
    "data": ("DVC's md5 of the prepared data", (provenance.DATA,)),
    "commit": ("a commit, or what names one", (provenance.COMMIT,)),
    "params": ("md5 of all settings", (provenance.PARAMS,)),
    "run": ("id of a training, evaluation or Prefect run", (TRAINING, EVALUATION, provenance.FLOW_RUN)),
}


@asking()
def main() -> None:
    chosen = arguments().parse_args()
    asked = {name: value for name in BACK if (value := getattr(chosen, name)) is not None}
    if (chosen.model is None) == (not asked):
        raise UserError("name a model, for example fashion-mnist-generator@champion, or one of --data, --commit, ...")
    if asked:
        print_versions(versions_of(asked))
        return
    version = parse(chosen.model)
    with traced(ROOT, version) as found:
        told = links(found)
        print_links(f"{version.name}, version {version.version}", told)
        if chosen.reproduce:
            from pipelines.lineage.reproduce import reproduce

            told.append(reproduce(found))
            print_links("trained again", told[-1:])
    if any(link.state in ("missing", "differs") for link in told):
        sys.exit(1)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.lineage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", nargs="?", help="MODEL@ALIAS or MODEL/VERSION")
    parser.add_argument("--reproduce", action="store_true", help="train it again, in a checkout of its own")
    for name, (about, _) in BACK.items():
        parser.add_argument(f"--{name}", help=f"{about}: the versions that come from it")
    return parser


def parse(model: str) -> "ModelVersion":
    """`name@alias` or `name/version`. Raises UserError where there is no such version."""
    name, at, alias = model.rpartition("@")
    if not at:
        name, _, alias = model.rpartition("/")
    if not name:
        raise UserError(f"{model!r}: must be MODEL@ALIAS or MODEL/VERSION")
    return tracking.client().get_model_version(name, find_version(name, alias))


def versions_of(asked: dict[str, str]) -> "list[ModelVersion]":
    """The versions with one of the tags, for each thing that is asked."""
    if "commit" in asked:
        with suppress(WorktreeError):  # a commit that is not here any more may have been another machine's
            asked = asked | {"commit": commit_of(ROOT, asked["commit"])}
    if any("'" in value for value in asked.values()):  # nothing of ours has one, and it would end MLflow's filter
        return []
    found = None
    for name, value in asked.items():
        versions = {
            (one.name, int(one.version)): one
            for tag in BACK[name][1]
            for one in tracking.client().search_model_versions(f"tags.`{tag}` = '{value}'")
        }
        found = versions if found is None else {key: one for key, one in found.items() if key in versions}
    return [one for _, one in sorted((found or {}).items())]


def print_versions(versions: "list[ModelVersion]") -> None:
    if not versions:
        raise UserError("no registered version comes from that")
    for version in versions:
        tags = version.tags
        figure = f"{tags.get('metric', 'metric')} {number(float(tags.get('metric.value', 'nan')))}"
        cells = (f"{version.name}/{version.version}", tags.get("method", ""), figure, str(tags.get(provenance.COMMIT)))
        print("  ".join(map(printable, cells)))


def print_links(title: str, found: list[Link]) -> None:
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False)
    for column in ("", "state", "name", ""):
        table.add_column(column, overflow="fold")
    for link in found:
        # As Text: what others wrote, a commit's subject for instance, is no markup.
        state = Text(link.state, COLOURS[link.state])
        table.add_row(link.what, state, Text(printable(link.value)), Text(printable(link.note)))
    # In a file or a pipe no line is to be broken.
    Console(highlight=False, width=None if sys.stdout.isatty() else WIDE).print(table)


def printable(text: str) -> str:
    """A line of what others wrote, without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\ufffd" for character in " ".join(text.split()))


if __name__ == "__main__":
    run(main)
