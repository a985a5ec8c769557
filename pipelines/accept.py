"""What a change of code makes run again: `make accept`, or `python -m pipelines.accept`.

Where only words are others (comments, docstrings, what is printed, names of local variables), where it is code that the
settings do not use or that only tells, DVC takes it: stage `resolve` is run, and no other has to. What differs in more
is said stage by stage, and the exit code is 1.
"""

import json
from pathlib import Path
from typing import Any

from fm.errors import UserError
from pipelines import edges
from pipelines.program import run
from pipelines.project import ROOT
from pipelines.stage import changes, recorded
from pipelines.worktree import dvc

RESOLVE = "resolve"


def main() -> None:
    """Raises UserError: something has to run; the message says what, stage by stage."""
    if told := to_run(ROOT):
        raise UserError("\n".join(f"{stage} has to run: {why}" for stage, why in told.items()))
    print("nothing has to run: what is different is words, or nothing a stage depends on")


def to_run(root: Path) -> dict[str, str]:
    """The stages that have to run, and why. Runs `resolve` first. Raises WorktreeError, which DVC's message is."""
    edges.renew(root)
    dvc(root, "repro", "--single-item", RESOLVE)
    status: dict[str, list[Any]] = json.loads(dvc(root, "status", "--json").splitlines()[-1])
    return {stage: why(stage, said, root) for stage, said in status.items()}


def why(stage: str, said: list[Any], root: Path) -> str:
    """What is another than DVC has recorded: by our own account of it, and for the rest by DVC's."""
    made = recorded(stage, root)
    if made is None:
        return "DVC has no record of it"
    told = changes(made, root)
    for entry in said:
        if isinstance(entry, dict):
            told += [f"{path} ({state})" for path, state in entry.get("changed outs", {}).items()]
        elif entry == "changed command":
            told.append("its command")
    return "; ".join(told)


if __name__ == "__main__":
    run(main)
