"""Train a registered version again, from nothing but what its lineage names, and compare the weights."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fm.errors import UserError
from fm.generator_files import WEIGHTS
from pipelines import further_stages, params
from pipelines.lineage.links import Link, code_with_patch, lock, patch
from pipelines.lineage.stored_objects import md5_of
from pipelines.lineage.traced import Traced
from pipelines.params.params import beginnings
from pipelines.project import CACHE_VARIABLE, MODELS
from pipelines.records import provenance, tracking
from pipelines.registry.saved_models import download
from pipelines.worktree import DVC, check_out, equip, git, remove


def reproduce(version: Traced) -> Link:
    """Train in a checkout of the version's commit and changes, with its data and settings and no checkpoint.

    The same bytes can be expected on the same type of machine with the same number of threads.

    Raises:
        UserError: something of its lineage is not there, or the training fails.
    """
    if version.lock is None or version.settings is None:
        raise UserError("nothing to reproduce it by: its registration run has neither lock file nor settings")
    if version.commit is None:
        raise UserError(f"nothing to reproduce it by: {version.tags.get(provenance.COMMIT)!r} is no commit's hash")
    require_as_registered(version)
    method = version.tags["method"]
    with tempfile.TemporaryDirectory() as scratch, checkout(version, Path(scratch) / "checkout") as place:
        fetch_data(place)
        rows = params.load(place / params.FILE).methods
        for name in beginnings(rows, method):
            if rows[name].pairs is not None:
                run_stage(place, "pairs", name, Path(scratch))
            run_stage(place, "train", name, Path(scratch))
        again = md5_of(place / MODELS / method / WEIGHTS)
        registered = f"models:/{version.version.name}/{version.version.version}"
        before = md5_of(download(registered, Path(scratch) / "registered") / WEIGHTS)
    if again == before:
        return Link("weights", again, "ok", "the same bytes")
    return Link("weights", before, "differs", f"trained again their md5 is {again}: on another type of machine?")


def require_as_registered(version: Traced) -> None:
    """Raises UserError unless what is going to be run made the version: its files lie where others may write."""
    for link in (patch(version), lock(version)):
        if link.state != "ok":
            raise UserError(f"not reproduced, {link.what}: {link.state}; {link.note}")
    if code_with_patch(version) != version.settings:
        raise UserError(f"not reproduced, parameters: {params.FILE} is another at the commit with the changes")


@contextmanager
def checkout(version: Traced, place: Path) -> Iterator[Path]:
    """The code as it was, with the lock file and the settings."""
    try:
        check_out(version.root, place, str(version.commit))
        if version.patch:
            git(place, "apply", "--whitespace=nowarn", "-", given=version.patch)
        equip(version.root, place)
        (place / params.FILE).write_text(version.settings or "", encoding="utf-8")
        (place / "dvc.lock").write_text(version.lock or "", encoding="utf-8")
        yield place
    finally:
        remove(version.root, place)


def fetch_data(place: Path) -> None:
    """Put the dataset where training looks for it, prepared and encoded: out of DVC's cache, else out of its remote."""
    encoded = ["encode"] if "encode" in further_stages.asked(params.load(place / params.FILE)) else []
    for stage in ("prepare", *encoded):
        if run(place, DVC, "checkout", stage) and run(place, DVC, "pull", stage):
            raise UserError(f"what the stage {stage} has made is neither in DVC's cache nor in its remote")


def run_stage(place: Path, kind: str, method: str, scratch: Path) -> None:
    """Run a stage's command with a cache of its own, so that no checkpoint is resumed, and an MLflow store of its
    own, so that this leaves no run."""
    print(f"{kind}@{method} again", flush=True)
    surroundings = {
        CACHE_VARIABLE: str(scratch / "cache"),
        tracking.URI_VARIABLE: f"sqlite:///{scratch / 'mlflow.db'}",
    }
    if run(place, str(place / ".venv" / "bin" / "python"), "-m", f"pipelines.{kind}", method, **surroundings):
        raise UserError(f"{kind}@{method} at {provenance.commit(place)} failed")


def run(place: Path, *command: str, **surroundings: str) -> int:
    """The exit code. What it prints is printed."""
    inherited = {name: value for name, value in os.environ.items() if name != tracking.PARENT_RUN_VARIABLE}
    return subprocess.run(command, cwd=place, env={**inherited, **surroundings}, check=False).returncode
