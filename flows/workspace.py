"""A checkout of its own for runs that must not touch the user's: a git worktree that shares caches with it."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from flows import remote
from pipelines.records import provenance
from pipelines.worktree import WorktreeError, check_out, commit_of, equip, git, remove

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
        if revision is None and (patch := provenance.uncommitted_patch(root, everything=True)):
            git(place, "apply", "--whitespace=nowarn", "-", given=patch)
        equip(root, place)
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
            equip(root, place)
            yield place
        finally:
            clear(root, place)


def fetched_commit(root: Path, revision: str) -> str:
    """The hash of the commit that a revision names; what others have pushed since is fetched first, and a branch that
    is behind theirs is taken as they have it. HEAD is what is checked out here.

    Raises:
        WorktreeError: there is no such commit.
        RemoteAway: the remote does not answer.
    """
    # A commit's whole hash cannot come to mean another.
    if revision == "HEAD" or known_commit(root, revision) == revision:
        return commit_of(root, revision)
    remote.fetch(root)
    theirs = known_commit(root, f"refs/remotes/{remote.name(root)}/{revision}")
    ours = known_commit(root, revision)
    if theirs and (ours is None or is_ancestor(root, ours, theirs)):
        return theirs
    return commit_of(root, revision)


def known_commit(root: Path, revision: str) -> str | None:
    try:
        return commit_of(root, revision)
    except WorktreeError:
        return None


def is_ancestor(root: Path, older: str, newer: str) -> bool:
    try:
        git(root, "merge-base", "--is-ancestor", older, newer)
    except WorktreeError:
        return False
    return True


def branch_for(root: Path, name: str, run: str, shared: bool = False) -> str:
    """The branch of a run called `name`: `runs/<name>`, with - for what a branch cannot have, and the beginning of the
    run's id where another run has that branch, or may have it on another machine."""
    branch = "runs/" + (re.sub(r"[^\w-]+", "-", name, flags=re.ASCII).strip("-") or "run")
    taken = git(root, "for-each-ref", f"refs/heads/{branch}")
    return f"{branch}-{run[:8]}" if taken or shared else branch


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
    """Commit files of a checkout, ignored ones too, to a branch of the repository, and nothing else: what is checked
    out stays as it is.

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
    # Else there is no such branch yet, or it is of another revision.
    return git(place, "rev-parse", reference) if is_ancestor(place, head, reference) else head
