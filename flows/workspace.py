"""A checkout of its own for runs that must not touch the user's: a git worktree that shares caches with it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines import provenance
from pipelines.worktree import check_out, commit_of, git, remove, share


def workspace(root: Path, place: Path) -> Path:
    """The checkout `root` as it is now, uncommitted changes included, in `place`; what runs there left stays.

    It shares the virtual environment and DVC's cache with `root`, and through pipelines.project.cache_dir the
    checkpoints: what either has trained, the other finds.

    Raises:
        WorktreeError: `root` is no git repository with a commit.
    """
    check_out(root, place, commit_of(root, "HEAD"))
    if patch := provenance.uncommitted_patch(root):
        git(place, "apply", "--whitespace=nowarn", "-", given=patch)
    share(root, place)
    return place


@contextmanager
def run_workspace(root: Path, folder: Path, name: str, revision: str) -> Iterator[Path]:
    """A commit of the repository `root` in a checkout in `folder` for one run, which is removed at the end.

    It shares with `root` what `workspace` shares. Checkouts of runs that were killed are removed too.

    Raises:
        WorktreeError: `revision` names no commit.
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
            clear(root, place)


def lock_of(place: Path) -> Path:
    """Held as long as the run goes on, by the operating system: a killed run gives it back."""
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.with_name(f"{place.name}.lock")


def remove_abandoned(root: Path, folder: Path) -> None:
    for place in folder.glob("*/"):
        lock = FileLock(lock_of(place))
        with suppress(Timeout), lock.acquire(blocking=False):
            clear(root, place)


def clear(root: Path, place: Path) -> None:
    remove(root, place)
    lock_of(place).unlink(missing_ok=True)


def keep(place: Path, branch: str, paths: Sequence[str | Path], message: str) -> None:
    """Commit files of a checkout, ignored ones too, to a branch of the repository; who has it checked out sees none
    of it."""
    git(place, "add", "--force", "--", *(str(path) for path in paths if (place / path).exists()))
    identity = ["-c", "user.name=pipeline", "-c", "user.email=pipeline@localhost"]
    git(place, *identity, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", message)
    git(place, "branch", "--force", branch, "HEAD")
