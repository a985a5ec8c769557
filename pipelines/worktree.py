"""Git worktrees that share the virtual environment and DVC's cache with the checkout they were made from."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from fm.errors import UserError
from pipelines.records.provenance import WRITTEN_BY_THE_PIPELINE

DVC = str(Path(sys.executable).parent / "dvc")


class WorktreeError(UserError):
    """The worktree cannot be made; the message is git's or DVC's."""


def commit_of(root: Path, revision: str) -> str:
    """The hash of the commit that `revision` names: a branch, a tag, a hash or its beginning."""
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except WorktreeError:
        if revision == "HEAD":
            message = f"{root} is no git repository with a commit, which a checkout beside it is made from"
            raise WorktreeError(message) from None
        raise WorktreeError(f"revision {revision!r}: no such commit, branch or tag in {root}") from None


def check_out(root: Path, place: Path, commit: str) -> None:
    """Make `place` a worktree at a commit, or bring the one there to it; what the pipeline has written there stays."""
    commit = commit_of(root, commit)  # a hash: what begins with - would be an option
    git(root, "worktree", "prune")
    if not (place / ".git").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        git(root, "worktree", "add", "--detach", "--quiet", str(place), commit)
    git(place, "checkout", "--detach", "--force", "--quiet", commit)
    git(place, "clean", "--quiet", "--force", "-d", *(f"--exclude=/{path}" for path in WRITTEN_BY_THE_PIPELINE))


def remove(root: Path, place: Path) -> None:
    """Remove a worktree, whatever lies in it."""
    shutil.rmtree(place, ignore_errors=True)
    git(root, "worktree", "prune")


def equip(root: Path, place: Path) -> None:
    """Let a worktree have the virtual environment, DVC's cache and remote of `root`."""
    environment = place / ".venv"
    if not environment.exists():
        environment.symlink_to((root / ".venv").resolve())
    own = root / ".dvc" / "config.local"  # where the remote is, for instance
    if own.exists():
        shutil.copy2(own, place / ".dvc" / "config.local")
    dvc(place, "cache", "dir", "--local", dvc(root, "cache", "dir"))


def git(where: Path, *arguments: str, given: bytes | None = None, variables: Mapping[str, str] | None = None) -> str:
    return output_of(where, "git", *arguments, given=given, variables=variables)


def dvc(where: Path, *arguments: str) -> str:
    return output_of(where, DVC, "--wait-for-lock", *arguments)


def output_of(
    where: Path, *command: str, given: bytes | None = None, variables: Mapping[str, str] | None = None
) -> str:
    """What a command prints. Raises WorktreeError where it fails."""
    surroundings = {**os.environ, **(variables or {})}
    done = subprocess.run(command, cwd=where, input=given or b"", env=surroundings, capture_output=True, check=False)
    if done.returncode != 0:
        raise WorktreeError(f"{' '.join(command)} in {where}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace").strip()
