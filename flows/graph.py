"""The pipeline's graph, as DVC reads it from dvc.yaml."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from fm.components import ANY
from fm.data.folder_contents import look_into
from fm.data.sources import Dataset
from fm.errors import UserError
from pipelines import edges, params

DVC = str(Path(sys.executable).parent / "dvc")

FIRST = "resolve"
"""The stage that says what the others depend on."""
PATH_LOCKS = Path(".dvc", "tmp", "rwlock")
"""Where DVC keeps which of its processes reads or writes what."""

NODE = re.compile(r'^"(?P<name>[^"]+)";$', re.MULTILINE)
EDGE = re.compile(r'^"(?P<before>[^"]+)" -> "(?P<after>[^"]+)";$', re.MULTILINE)

Graph = dict[str, tuple[str, ...]]
"""Stage -> the stages it needs. A stage comes after those it needs."""


class GraphError(UserError):
    """DVC cannot make sense of the project; the message is DVC's."""


def read(root: Path) -> Graph:
    """The stages of the DVC project at `root`, in an order in which they can run."""
    edges.renew(root)
    return parse(ask(root, "dag", "--dot"))


def parse(dot: str) -> Graph:
    needs: dict[str, list[str]] = {match["name"]: [] for match in NODE.finditer(dot)}
    for match in EDGE.finditer(dot):
        needs[match["after"]].append(match["before"])
    return {name: tuple(needs[name]) for name in TopologicalSorter(needs).static_order()}


def with_needs(graph: Graph, wanted: Iterable[str]) -> Graph:
    """The part of a graph that the stages `wanted` need, themselves included."""
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return {name: needs for name, needs in graph.items() if name in found}


def changes(root: Path) -> dict[str, Any]:
    """What DVC finds changed since the last run, stage by stage; empty where there is nothing to do.

    Where that is the stage before all others alone, it is brought up to date: a change of words ends there.
    """
    edges.renew(root)
    found: dict[str, Any] = json.loads(ask(root, "status", "--json"))
    if found.keys() == {FIRST}:
        ask(root, "repro", "--single-item", FIRST)
        found = json.loads(ask(root, "status", "--json"))
    return found


def unseen(root: Path) -> frozenset[str]:
    """Stages that can have changed without DVC finding it: it looks behind no link to a folder, as labels may be.

    Raises:
        FolderError: there is something in one's own folder that DVC could not hash, or would wait for for ever.
    """
    dataset = params.load(root / params.FILE).dataset
    if not (suffixes := Dataset.of(dataset.choice, ANY).suffixes):
        return frozenset()
    by_folder = any(by_folder for _, by_folder in look_into(root / dataset.path, suffixes).elsewhere)
    return frozenset({"prepare"} if by_folder else ())


def ask(root: Path, *arguments: str) -> str:
    forget_broken_locks(root)
    command = [DVC, "--wait-for-lock", *arguments]
    done = subprocess.run(
        command,
        check=False,
        cwd=root,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        raise GraphError(f"dvc {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def forget_broken_locks(root: Path) -> None:
    """Remove DVC's list of locks where a crash has left it empty or cut off: DVC would refuse to work, with no word
    about what to do. Locks of processes that are gone count for nothing in it anyway."""
    file = root / PATH_LOCKS
    if not is_whole(file):
        from dvc.lock import make_lock  # which takes a second

        with make_lock(str(file.with_name("rwlock.lock")), tmp_dir=str(file.parent)):  # or it is just being written
            if not is_whole(file):
                file.unlink()


def is_whole(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True
