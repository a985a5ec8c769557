"""The git remote that runs on several machines go through."""

from pathlib import Path

from filelock import FileLock

from flows.faults import is_transient
from fm.errors import TryLater
from pipelines.project import cache_dir
from pipelines.worktree import WorktreeError, git


class RemoteAway(WorktreeError, TryLater):
    """The remote does not answer now; the message is git's."""


def name(root: Path) -> str | None:
    """Git's own setting remote.pushDefault, else origin, else the first there is; None where there is none."""
    known = git(root, "remote").split()
    chosen = git(root, "config", "--get", "--default", "origin", "remote.pushDefault")
    return next((one for one in (chosen, "origin", *known) if one in known), None)


def fetch(root: Path) -> None:
    """Get what others have pushed, where there is a remote. Raises WorktreeError, RemoteAway."""
    if remote := name(root):
        lock = cache_dir() / "locks" / "fetch.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):  # two fetches at once fail by each other's locks
            ask(root, "fetch", "--quiet", "--tags", "--", remote)


def push(root: Path, branch: str) -> None:
    """Put a run's branch where other machines find it, where there is a remote. Raises WorktreeError, RemoteAway."""
    if remote := name(root):
        ask(root, "push", "--quiet", "--force", "--", remote, branch)


def ask(root: Path, *arguments: str) -> None:
    try:
        git(root, *arguments)
    except WorktreeError as error:
        raise RemoteAway(str(error)) if is_transient([str(error)]) else error from None
