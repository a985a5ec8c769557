"""Where things lie, and what every stage does around its work."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fm.errors import UserError

if TYPE_CHECKING:
    from filelock import BaseFileLock

ROOT = Path(__file__).resolve().parent.parent

INPUTS = Path("artifacts/inputs")
PREPARED = Path("data/prepared")
ENCODED = Path("data/encoded")
FEATURES = Path("artifacts/features")
CAPTIONS = "captions"
"""The folder in FEATURES of those who judge whether captions are followed."""
MODELS = Path("artifacts/models")
SNAPSHOTS = Path("artifacts/snapshots")
PAIRS = Path("artifacts/pairs")
CODEC = Path("artifacts/codec")
CURVES = Path("artifacts/curves")
SAMPLES = Path("artifacts/samples")
NEAREST = "-nearest.png"
"""How a sheet's name ends that shows samples over the training images nearest to them."""
METRICS = Path("metrics")
REPORTS = Path("reports")

CACHE_VARIABLE = "PIPELINE_CACHE"
SLOTS_VARIABLE = "PIPELINE_SLOTS"
CHECKPOINTS_VARIABLE = "PIPELINE_CHECKPOINTS"


def owner() -> Path:
    """The checkout that a person has: this one, or the one in which DVC has made this one for an experiment."""
    return next((folder.parent for folder in ROOT.parents if folder.name == ".dvc"), ROOT)


@cache
def cache_dir() -> Path:
    """Downloads, working checkpoints and locks: `.cache` of the main checkout, for all its worktrees.

    The environment variable PIPELINE_CACHE names another place.

    Raises:
        UserError: it cannot be written to.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    folder = Path(chosen).resolve() if chosen else main_checkout(owner()) / ".cache"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UserError(
            f"{folder}: the cache can't be written to ({error.strerror}): "
            f"set {CACHE_VARIABLE} to a folder that you may write to"
        ) from None


def checkpoints_elsewhere(stage: str, key: str) -> str | None:
    """Where the checkpoints of a stage are, if not on this machine: below the URL that the environment variable
    PIPELINE_CHECKPOINTS names, s3://bucket/prefix for instance."""
    place = checkpoints_place()
    return place and f"{place}/{stage}/{key}"


def checkpoints_place() -> str | None:
    """What PIPELINE_CHECKPOINTS says, if anything. Raises UserError where it would be another place for each checkout
    or machine."""
    chosen = os.environ.get(CHECKPOINTS_VARIABLE)
    if not chosen:
        return None
    if "://" not in chosen and not Path(chosen).is_absolute():
        raise UserError(
            f"{CHECKPOINTS_VARIABLE} = {chosen}: must be s3://bucket/prefix, another URL or an absolute path"
        )
    return chosen.rstrip("/")


def main_checkout(root: Path) -> Path:
    """The checkout that the worktree `root` was made from; `root` itself where there is none, or no git."""
    common = asked(root, "rev-parse", "--path-format=absolute", "--git-common-dir")
    if not common:
        return root
    if Path(common).name == ".git":
        return Path(common).parent
    # A submodule's repository lies in that of the project around it, and says where its files are.
    files = asked(root, "config", "--file", f"{common}/config", "core.worktree")
    return Path(common, files).resolve() if files else root


def require_repository(root: Path = ROOT) -> None:
    """Raise UserError unless `root` is a git repository with a commit, which a downloaded ZIP is not."""
    try:
        done = subprocess.run(["git", "rev-parse", "--verify", "HEAD"], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        raise UserError("git is not installed: DVC needs it, and every figure is traced to a commit") from None
    if done.returncode != 0:
        said = os.fsdecode(done.stderr).splitlines()[0]
        raise UserError(
            f"{root}: {said}\nEvery figure is traced to a commit, and DVC needs git too. "
            "Clone the project rather than download it, or: git init && git add --all && git commit -m Start"
        )


def asked(root: Path, *arguments: str) -> str:
    """What git says, in bytes that may be a path's; nothing where it fails or is not there."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        return ""
    return os.fsdecode(done.stdout).strip()


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write into that becomes `target` at the end, whole, or leaves nothing behind."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path to write to that becomes `target` at the end, whole, or leaves nothing behind; several may at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def slots_dir() -> Path:
    """Where the machine's compute slots lie: one folder for all that its user runs, from whatever checkout.

    The environment variable PIPELINE_SLOTS names another place, for work that shall not wait for the rest.

    Raises:
        UserError: the folder is somebody else's.
    """
    if chosen := os.environ.get(SLOTS_VARIABLE):
        place = Path(chosen).resolve()
        place.mkdir(parents=True, exist_ok=True)
        return place
    # The system's own folder for temporary files: home folders are on several machines at once.
    place = Path(tempfile.gettempdir()) / f"compute-slots-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != os.getuid():
        raise UserError(f"{place}: belongs to somebody else: name another folder in {SLOTS_VARIABLE}")
    return place


WAITING = "waiting for the compute slot"
"""How a stage begins the line that says so; the next one says that it goes on, or that another has the slot now."""
SECONDS_BETWEEN = 5  # looks who has it


@contextmanager
def compute_slot(device: str = "cpu") -> Iterator[None]:
    """Wait for the one compute slot that this machine has for `device`, and hold it.

    All work of the user that trains, samples or times takes it: two trainers of two threads on two cores gain nothing
    and spoil every timing. The lock is the operating system's, so a killed stage gives its place back. Beside it lies
    who has it, for those that wait.
    """
    from filelock import FileLock

    path = slots_dir() / f"compute-{device}.lock"
    lock = FileLock(path)
    wait_for(lock)
    try:
        tell_holder(path)
        yield
    finally:
        path.with_suffix(HOLDER).unlink(missing_ok=True)
        lock.release()


def wait_for(lock: "BaseFileLock") -> None:
    """Take it, and tell whose it is as long as it is somebody else's."""
    from filelock import Timeout

    told = ""
    while True:
        try:
            lock.acquire(timeout=SECONDS_BETWEEN if told else 0)
            break
        except Timeout:
            holder = holder_of(Path(lock.lock_file))
        if holder != told:
            print(f"{WAITING}: {holder}", flush=True)
            told = holder
    if told:
        print("has the compute slot", flush=True)


HOLDER = ".holder"
"""How the file ends that says who has a slot: the lock's own is emptied by whoever tries to take it."""


def tell_holder(lock: Path) -> None:
    """Say that this process has a slot. Where that cannot be written, others wait without knowing for whom."""
    command = "a program" if "-c" in sys.orig_argv else " ".join(["python", *sys.orig_argv[1:]])
    with suppress(OSError), whole_file(lock.with_suffix(HOLDER)) as partial:
        partial.write_text(
            f"{command} has it since {datetime.now():%H:%M}, in {Path.cwd()} (process {os.getpid()})", encoding="utf-8"
        )


def holder_of(lock: Path) -> str:
    """Who has a slot, in words."""
    try:
        return lock.with_suffix(HOLDER).read_text(encoding="utf-8")
    except OSError:
        return f"somebody has it ({lock})"
