"""A checkout of its own for runs that must not touch the user's: a git worktree that shares caches with it."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

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
    check_out(root, place, commit_of(root, "HEAD"))
    if patch := lineage.uncommitted_patch(root):
        git(place, "apply", "--whitespace=nowarn", "-", given=patch)
    share(root, place)
    return place


@contextmanager
def run_workspace(root: Path, folder: Path, name: str, revision: str) -> Iterator[Path]:
    """A commit of the repository `root` in a checkout in `folder` for one run, which is removed at the end.

    It shares with `root` what `workspace` shares. Checkouts of runs that were killed are removed too.

    Raises:
        WorkspaceError: `revision` names no commit.
    """
    commit = commit_of(root, revision)
    remove_abandoned(root, folder)
    place = folder / name
    with FileLock(lock_of(place)):
        try:
            check_out(root, place, commit)
            share(root, place)
            yield place
        finally:
            remove(root, place)


def lock_of(place: Path) -> Path:
    """Held as long as the run goes on, by the operating system: a killed run gives it back."""
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.with_name(f"{place.name}.lock")


def remove_abandoned(root: Path, folder: Path) -> None:
    for place in folder.glob("*/"):
        lock = FileLock(lock_of(place))
        with suppress(Timeout), lock.acquire(blocking=False):
            remove(root, place)


def remove(root: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    git(root, "worktree", "prune")
    lock_of(place).unlink(missing_ok=True)


def commit_of(root: Path, revision: str) -> str:
    """The hash of the commit that `revision` names: a branch, a tag, a hash or its beginning."""
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except WorkspaceError:
        if revision == "HEAD":
            message = f"{root} is no git repository with a commit, which a checkout beside it is made from"
            raise WorkspaceError(message) from None
        raise WorkspaceError(f"revision {revision!r}: no such commit, branch or tag in {root}") from None


def check_out(root: Path, place: Path, commit: str) -> None:
    git(root, "worktree", "prune")
    if not (place / ".git").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        git(root, "worktree", "add", "--detach", "--quiet", str(place), commit)
    git(place, "checkout", "--detach", "--force", "--quiet", commit)
    git(place, "clean", "--quiet", "--force", "-d", *(f"--exclude={path}" for path in WRITTEN_BY_THE_PIPELINE))


def keep(place: Path, branch: str, paths: Sequence[str | Path], message: str) -> None:
    """Commit files of a checkout, ignored ones too, to a branch of the repository; who has it checked out sees none
    of it."""
    git(place, "add", "--force", "--", *(str(path) for path in paths if (place / path).exists()))
    identity = ["-c", "user.name=pipeline", "-c", "user.email=pipeline@localhost"]
    git(place, *identity, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", message)
    git(place, "branch", "--force", branch, "HEAD")


def share(root: Path, place: Path) -> None:
    environment = place / ".venv"
    if not environment.exists():
        environment.symlink_to((root / ".venv").resolve())
    own = root / ".dvc" / "config.local"  # where the remote is, for instance
    if own.exists():
        shutil.copy2(own, place / ".dvc" / "config.local")
    graph.ask(place, "cache", "dir", "--local", graph.ask(root, "cache", "dir").strip())


def git(where: Path, *arguments: str, given: bytes | None = None) -> str:
    done = subprocess.run(["git", *arguments], cwd=where, input=given, capture_output=True, check=False)
    if done.returncode != 0:
        raise WorkspaceError(f"git {arguments[0]} in {where}: {done.stderr.decode().strip()}")
    return done.stdout.decode().strip()
