"""A checkout of its own for runs that must not touch the user's: a git worktree that shares caches with it."""

import shutil
import subprocess
from pathlib import Path

from flows import graph
from fm.errors import UserError
from pipelines import lineage
from pipelines.lineage import WRITTEN_BY_THE_PIPELINE


class WorkspaceError(UserError):
    """The worktree cannot be made; the message is git's."""


def workspace(root: Path, place: Path) -> Path:
    """The checkout `root` as it is now, uncommitted changes included, in `place`; what runs there left stays.

    It shares the virtual environment and DVC's cache with `root`, and through pipelines.project.cache_dir the
    checkpoints: what either has trained, the other finds.

    Raises:
        WorkspaceError: `root` is no git repository with a commit.
    """
    commit = lineage.commit(root)
    if commit == lineage.UNKNOWN:
        raise WorkspaceError(f"{root} is no git repository with a commit, which a checkout beside it is made from")
    git(root, "worktree", "prune")
    if not (place / ".git").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        git(root, "worktree", "add", "--detach", "--quiet", str(place), commit)
    git(place, "checkout", "--detach", "--force", "--quiet", commit)
    git(place, "clean", "--quiet", "--force", "-d", *(f"--exclude={path}" for path in WRITTEN_BY_THE_PIPELINE))
    if patch := lineage.uncommitted_patch(root):
        git(place, "apply", "--whitespace=nowarn", "-", given=patch)
    share(root, place)
    return place


def share(root: Path, place: Path) -> None:
    environment = place / ".venv"
    if not environment.exists():
        environment.symlink_to((root / ".venv").resolve())
    cache = graph.ask(root, "cache", "dir").strip()
    (place / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {cache}\n")


def git(where: Path, *arguments: str, given: bytes | None = None) -> None:
    done = subprocess.run(["git", *arguments], cwd=where, input=given, capture_output=True, check=False)
    if done.returncode != 0:
        raise WorkspaceError(f"git {arguments[0]} in {where}: {done.stderr.decode().strip()}")
