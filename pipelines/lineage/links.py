"""The links from a registered version to what it was made of, each looked up and held against its hash.

Whoever asks needs the repository, DVC's cache (or remote) and the MLflow store that the version is in.
"""

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from fm.errors import UserError
from pipelines import params, yaml_reading
from pipelines.lineage.stored_objects import look_up
from pipelines.lineage.traced import EVALUATION, KEPT, LOCK, TRAINING, Traced
from pipelines.project import MODELS, PREPARED
from pipelines.records import provenance, tracking
from pipelines.records.logins import basic
from pipelines.registry.model_version import CODE_FINGERPRINT, FINGERPRINT, code_fingerprint, fingerprint
from pipelines.registry.saved_models import download
from pipelines.registry.versions import NOT_THERE

if TYPE_CHECKING:
    from mlflow.entities import Run

State = Literal["ok", "missing", "differs", "unknown"]


@dataclass(frozen=True)
class Link:
    """What a version was made of, and whether it is still there as it was.

    Attributes:
        value: its name: a hash, an id.
        state: unknown is what cannot be looked up from here.
        note: where it lies, or what is wrong.
    """

    what: str
    value: str
    state: State
    note: str = ""


def links(version: Traced) -> list[Link]:
    """Every link, in the order in which one would ask."""
    return [check(version) for check in CHECKS]


def weights(version: Traced) -> Link:
    """The generator as it is registered is the one that was measured."""

    def found(model: str) -> str:
        with tempfile.TemporaryDirectory() as scratch:
            return fingerprint(download(model, Path(scratch)))

    return held("generator", version, version.tags.get(FINGERPRINT, ""), found)


def code(version: Traced) -> Link:
    """What MLflow runs of it is what was registered."""
    wanted = version.tags.get(CODE_FINGERPRINT)
    if wanted is None:
        return Link("served code", "", "unknown", f"it was registered without a tag {CODE_FINGERPRINT}")
    return held("served code", version, wanted, code_fingerprint)


def held(what: str, version: Traced, wanted: str, found: Callable[[str], str]) -> Link:
    """Files of a version against the fingerprint that registration gave them; `found` is that of a model now."""
    from mlflow.exceptions import MlflowException

    try:
        now = found(f"models:/{version.version.name}/{version.version.version}")
    except (MlflowException, OSError) as error:
        return Link(what, wanted, "missing", str(error))
    if now != wanted:
        return Link(what, wanted, "differs", f"the SHA-256 of its files is {now}")
    return Link(what, wanted, "ok", "SHA-256 of its files")


def commit(version: Traced) -> Link:
    name = version.tags.get(provenance.COMMIT, provenance.UNKNOWN)
    if name == provenance.UNKNOWN:
        return Link("git commit", name, "unknown", "there was no repository")
    if version.commit is None:
        return Link("git commit", name, "differs", "is no commit's hash")
    if not provenance.git(version.root, "cat-file", "-t", name, check=False).startswith(b"commit"):
        return Link("git commit", name, "missing", f"not in {version.root}: fetch it")
    subject = provenance.git(version.root, "show", "--no-patch", "--format=%s", name).decode(errors="replace").strip()
    return Link("git commit", name, "ok", subject)


def patch(version: Traced) -> Link:
    if version.tags.get(provenance.DIRTY) != "true":
        return Link("uncommitted changes", "none", "ok")
    if version.patch is None:
        return Link(
            "uncommitted changes", tracking.PATCH, "missing", f"not among the files of run {version.version.run_id}"
        )
    size = f"{version.patch.count(b'diff --git ')} files"
    if (wanted := version.tags.get(provenance.PATCH_SHA256)) is None:
        return Link("uncommitted changes", size, "unknown", f"no tag {provenance.PATCH_SHA256} to hold them against")
    if hashlib.sha256(version.patch).hexdigest() != wanted:
        return Link("uncommitted changes", size, "differs", f"their SHA-256 is not {wanted}")
    if code_with_patch(version) is None:
        return Link("uncommitted changes", size, "differs", "they do not apply to the commit")
    return Link("uncommitted changes", size, "ok", f"{tracking.PATCH} of run {version.version.run_id}")


def code_with_patch(version: Traced) -> str | None:
    """params.yaml of the commit with the uncommitted changes; None where they cannot be put together."""
    if version.commit is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        variables = provenance.scratch_repository(version.root, Path(scratch))
        try:
            provenance.git(version.root, "read-tree", version.commit, variables=variables)
            if version.patch:
                file = Path(scratch) / "patch"
                file.write_bytes(version.patch)
                provenance.git(version.root, "apply", "--cached", str(file), variables=variables)
            return provenance.git(version.root, "show", f":{params.FILE}", variables=variables).decode()
        except subprocess.CalledProcessError:
            return None


def settings(version: Traced) -> Link:
    wanted = version.tags.get(provenance.PARAMS, "")
    if version.settings is None:
        return Link("parameters", wanted, "missing", f"run {version.version.run_id} has no {KEPT}/{params.FILE}")
    if code_with_patch(version) not in (None, version.settings):
        return Link("parameters", wanted, "differs", f"{params.FILE} is another at the commit with the changes")
    try:
        found = provenance.params_md5(params.parse(yaml_reading.content(version.settings), str(params.FILE)))
    except (UserError, ValueError) as error:
        return Link("parameters", wanted, "unknown", f"today's code reads them otherwise: {error}")
    if found != wanted:
        return Link("parameters", wanted, "differs", f"by today's code and defaults their md5 is {found}")
    return Link("parameters", wanted, "ok", f"{KEPT}/{params.FILE} of run {version.version.run_id}")


def lock(version: Traced) -> Link:
    wanted = version.tags.get(LOCK, "")
    if version.lock is None:
        return Link("lock file", wanted, "missing", f"run {version.version.run_id} has no {KEPT}/dvc.lock")
    found = hashlib.sha256(version.lock.encode()).hexdigest()
    note = f"{KEPT}/dvc.lock of run {version.version.run_id}"
    return Link("lock file", wanted, "ok" if found == wanted else "differs", note)


def data(version: Traced) -> Link:
    wanted = version.tags.get(provenance.DATA, provenance.UNKNOWN)
    if version.lock is not None and version.locked("prepare", str(PREPARED)) != wanted:
        return Link("data", wanted, "differs", f"the lock file has {version.locked('prepare', str(PREPARED))}")
    return stored(version, "data", wanted)


def trained_weights(version: Traced) -> Link:
    method = version.tags.get("method", "")
    wanted = version.locked(f"train@{method}", str(MODELS / method))
    if wanted is None:
        return Link("trained weights", "", "unknown", "the lock file does not have them")
    return stored(version, "trained weights", wanted)


def stored(version: Traced, what: str, md5: str) -> Link:
    """Whether DVC has an output whole, and where."""
    try:
        found = look_up(version.root, md5)
    except UserError as error:
        return Link(what, md5, "unknown", str(error))
    return Link(what, md5, "missing" if found.wrong else "ok", found.wrong or found.where)


def run_of(what: str, tag: str) -> Callable[[Traced], Link]:
    def check(version: Traced) -> Link:
        run_id = version.tags.get(tag)
        if run_id is None:
            return Link(what, "", "unknown", "was not in this MLflow store when the version was registered")
        return run_link(what, run_id, version.tags.get(provenance.DATA, ""))

    return check


def registration(version: Traced) -> Link:
    return run_link("registration run", str(version.version.run_id), version.tags.get(provenance.DATA, ""))


def run_link(what: str, run_id: str, data_md5: str) -> Link:
    found = find_run(run_id)
    if found is None:
        return Link(what, run_id, "missing", "deleted from MLflow")
    if found.info.status != "FINISHED":
        return Link(what, run_id, "differs", f"its status is {found.info.status}")
    if found.data.tags.get(provenance.DATA) != data_md5:
        return Link(what, run_id, "differs", f"it used the data {found.data.tags.get(provenance.DATA)}")
    return Link(what, run_id, "ok", str(found.info.run_name))


def find_run(run_id: str) -> "Run | None":
    """None where MLflow has none, or has deleted it."""
    from mlflow.exceptions import MlflowException

    try:
        found = tracking.client().get_run(run_id)
    except MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise
        return None
    return found if found.info.lifecycle_stage == "active" else None


def flow_run(version: Traced) -> Link:
    name, api = version.tags.get(provenance.FLOW_RUN), os.environ.get("PREFECT_API_URL")
    if name is None:
        return Link("Prefect run", "none", "ok", "registered by hand")
    if api is None:
        return Link("Prefect run", name, "unknown", "PREFECT_API_URL is not set")
    login = basic(os.environ.get("PREFECT_API_AUTH_STRING", ""))
    try:
        with urlopen(Request(f"{api}/flow_runs/{quote(name, safe='')}", headers=login), timeout=10) as response:
            found: dict[str, Any] = json.load(response)
    except HTTPError as error:
        return Link("Prefect run", name, "missing" if error.code == 404 else "unknown", f"{api} says {error.code}")
    except (URLError, OSError):
        return Link("Prefect run", name, "unknown", f"{api} does not answer")
    return Link("Prefect run", name, "ok", f"{found['name']}, {found['state_name']}")


CHECKS: tuple[Callable[[Traced], Link], ...] = (
    weights,
    code,
    data,
    commit,
    patch,
    settings,
    lock,
    trained_weights,
    run_of("training run", TRAINING),
    run_of("evaluation run", EVALUATION),
    registration,
    flow_run,
)
