"""Where a result comes from: commit, uncommitted changes, data and parameters, as tags of an MLflow run."""

import getpass
import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from pipelines.params import Params
from pipelines.project import METRICS, PREPARED, REPORTS, ROOT
from pipelines.records import untracked
from pipelines.stage import Stage

FLOW_RUN_VARIABLE = "PIPELINE_FLOW_RUN_ID"

COMMIT = "git.commit"
DIRTY = "git.dirty"
PATCH_SHA256 = "git.patch.sha256"
DATA = "data.md5"
PARAMS = "params.md5"
FLOW_RUN = "prefect.flow_run_id"

UNKNOWN = "unknown"

# The pipeline's own writing is no change of the code that wrote it.
WRITTEN_BY_THE_PIPELINE = ("dvc.lock", str(METRICS), str(REPORTS))
EVERYTHING_ELSE = (".", *(f":(exclude){path}" for path in WRITTEN_BY_THE_PIPELINE))


def commit(root: Path = ROOT) -> str:
    """The commit checked out, or "unknown" where there is none."""
    found = git(root, "rev-parse", "--verify", "--quiet", "HEAD", check=False)
    return found.decode().strip() or UNKNOWN


def is_commit_hash(name: str) -> bool:
    """Whether it is a commit's whole hash, and so no option of git's nor a revision of another meaning."""
    return re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", name) is not None


def user() -> str:
    """Who is logged in, or "unknown": a container's user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return UNKNOWN


def tags(stage: Stage, root: Path = ROOT) -> dict[str, str]:
    """The tags that trace a stage's run."""
    return tags_of(stage.data_md5, stage.params_md5, commit(root), uncommitted_patch(root))


def tags_of(data_md5: str, params_md5: str, commit: str, patch: bytes | None) -> dict[str, str]:
    """The tags that every run and every model version carries."""
    known = {
        COMMIT: commit,
        # Without a commit nothing says which code it was.
        DIRTY: "true" if patch or commit == UNKNOWN else "false",
        DATA: data_md5,
        PARAMS: params_md5,
    }
    if patch:  # it lies where others may write, and is run again: pipelines.lineage.reproduce
        known[PATCH_SHA256] = hashlib.sha256(patch).hexdigest()
    if flow_run := os.environ.get(FLOW_RUN_VARIABLE):
        known[FLOW_RUN] = flow_run
    return known


def prepared_md5(root: Path = ROOT) -> str:
    """DVC's md5 of the prepared dataset as of the last run, or "unknown" before there was one."""
    try:
        locked = yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))
        outputs = locked["stages"]["prepare"]["outs"]
    except (FileNotFoundError, KeyError, TypeError):
        return UNKNOWN
    return next((str(output["md5"]) for output in outputs if output["path"] == str(PREPARED)), UNKNOWN)


def params_md5(settings: Params) -> str:
    """One md5 for all settings together, nulls filled in."""
    content = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()


def uncommitted_patch(root: Path = ROOT, everything: bool = False) -> bytes | None:
    """What `git apply` makes of the commit the files as they lie here, new ones included; none if they are equal.

    Left out are ignored files, what the pipeline itself writes, and of the files that git does not have yet those
    that do not travel (pipelines.records.untracked). Bytes, because a patch of files in several encodings has none of
    its own.

    Args:
        everything: those too, for a checkout on this machine.
    """
    if commit(root) == UNKNOWN:
        return None
    with tempfile.TemporaryDirectory() as folder:
        scratch = scratch_repository(root, Path(folder))
        git(root, "read-tree", "HEAD", variables=scratch)
        # Of an excluded path that is ignored too, `add` would complain.
        git(root, "add", "--all" if everything else "--update", variables=scratch)
        if not everything:
            new = [file for file in untracked_files(root) if untracked.travels(file, root)]
            git(
                root,
                "update-index",
                "--add",
                "-z",
                "--stdin",
                variables=scratch,
                given=b"\0".join(map(os.fsencode, new)),
            )
        patch = git(
            root, "diff-index", "--cached", "--patch", "--binary", "--full-index", "HEAD", "--", *EVERYTHING_ELSE,
            variables=scratch,
        )  # fmt: skip
    return patch or None


def left_out(root: Path = ROOT) -> str:
    """What no patch has of the files that git does not have yet, line by line (pipelines.records.untracked.listing)."""
    return untracked.listing([file for file in untracked_files(root) if not untracked.travels(file, root)], root)


def untracked_files(root: Path) -> list[Path]:
    """Files that git neither has nor ignores nor the pipeline writes, relative to `root`."""
    found = git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *EVERYTHING_ELSE, check=False)
    return sorted(Path(os.fsdecode(name)) for name in found.split(b"\0") if name)


def scratch_repository(root: Path, folder: Path) -> dict[str, str]:
    """An index and an object store of its own, so that looking leaves no trace in the user's repository."""
    store = git(root, "rev-parse", "--path-format=absolute", "--git-path", "objects").decode().strip()
    objects = folder / "objects"
    objects.mkdir()
    return {
        "GIT_INDEX_FILE": str(folder / "index"),
        "GIT_OBJECT_DIRECTORY": str(objects),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": store,
    }


def git(
    root: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    check: bool = True,
    given: bytes = b"",
) -> bytes:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            env={**os.environ, **(variables or {})},
            input=given,
            capture_output=True,
            check=check,
        )
    except FileNotFoundError:  # no git at all
        return b""
    return done.stdout if done.returncode == 0 else b""
