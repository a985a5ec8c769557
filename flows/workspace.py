"""A checkout of its own for runs that must not touch the user's: a git worktree that shares caches with it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines import provenance
from pipelines.project import cache_dir
from pipelines.worktree import WorktreeError, check_out, commit_of, git, remove, share

IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "pipeline"), ("EMAIL", "pipeline@localhost"))
}


@contextmanager
def workspace(root: Path, place: Path, revision: str | None = None) -> Iterator[Path]:
    """A commit of the repository `root` in `place`, for nobody else as long as it lasts; what runs there left stays.

    It shares the virtual environment and DVC's cache with `root`, and through pipelines.project.cache_dir the
    checkpoints: what either has trained, the other finds.

    Args:
        revision: what names the commit; None is what `root` has now, uncommitted changes included.

    Raises:
        WorktreeError: `root` is no git repository with a commit, `revision` names none, or somebody works there.
    """
    commit = fetched_commit(root, revision or "HEAD")
    lock = FileLock(lock_of(place))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise WorktreeError(f"{place}: another run works there; wait for its end, or cancel it") from None
    with lock:
        check_out(root, place, commit)
        if revision is None and (patch := provenance.uncommitted_patch(root)):
            git(place, "apply", "--whitespace=nowarn", "-", given=patch)
        share(root, place)
        yield place


@contextmanager
def run_workspace(root: Path, folder: Path, name: str, revision: str) -> Iterator[Path]:
    """A commit of the repository `root` in a checkout in `folder` for one run, which is removed at the end.

    It shares with `root` what `workspace` shares. Checkouts of runs that were killed are removed too.

    Raises:
        WorktreeError: `revision` names no commit.
    """
    commit = fetched_commit(root, revision)
    remove_abandoned(root, folder)
    place = folder / name
    with FileLock(lock_of(place)):
        try:
            check_out(root, place, commit)
            share(root, place)
            yield place
        finally:
            clear(root, place)


def fetched_commit(root: Path, revision: str) -> str:
    """The hash of the commit that a revision names; what others have pushed since is fetched first.

    Raises:
        WorktreeError: there is no such commit, or a remote that does not answer.
    """
    if revision != "HEAD" and not is_known_commit(root, revision) and git(root, "remote"):
        lock = cache_dir() / "locks" / "fetch.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):  # two fetches at once fail by each other's locks
            git(root, "fetch", "--quiet", "--all", "--tags")
    return commit_of(root, revision)


def is_known_commit(root: Path, revision: str) -> bool:
    """Whether it is a commit's whole hash, which cannot come to mean another."""
    try:
        return commit_of(root, revision) == revision
    except WorktreeError:
        return False


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


def keep(place: Path, branch: str, paths: Sequence[str | Path], message: str) -> str:
    """Commit files of a checkout, ignored ones too, to a branch of the repository, and nothing else: who has the
    branch or the commit checked out sees none of it.

    Returns:
        The commit, whose parent is the branch's last of this run, else what is checked out.
    """
    reference = f"refs/heads/{branch}"
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index"), **IDENTITY}
        git(place, "read-tree", "HEAD", variables=index)
        git(place, "add", "--force", "--", *(str(path) for path in paths if (place / path).exists()), variables=index)
        tree = git(place, "write-tree", variables=index)
        commit = git(place, "commit-tree", tree, "-p", parent(place, reference), "-m", message, variables=index)
    git(place, "update-ref", reference, commit)
    return commit


def parent(place: Path, reference: str) -> str:
    head = git(place, "rev-parse", "HEAD")
    try:
        git(place, "merge-base", "--is-ancestor", head, reference)
    except WorktreeError:  # there is no such branch yet, or another run's of the same name
        return head
    return git(place, "rev-parse", reference)
