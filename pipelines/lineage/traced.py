"""A registered version with what its registration run keeps of its making."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pipelines.records import provenance, tracking

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

TRAINING, EVALUATION, LOCK = "training.run_id", "evaluation.run_id", "dvc.lock.sha256"
KEPT = "lineage"
"""The registration run's folder with the lock file and the settings as they were."""


@dataclass(frozen=True)
class Traced:
    """A version with what its registration run keeps.

    Attributes:
        lock: the text of dvc.lock, None where there is none.
        settings: the text of params.yaml, likewise.
        patch: the uncommitted changes, none where there were none or where they are lost.
    """

    root: Path
    version: "ModelVersion"
    lock: str | None
    settings: str | None
    patch: bytes | None

    @property
    def tags(self) -> dict[str, str]:
        return dict(self.version.tags)

    @property
    def commit(self) -> str | None:
        """The hash of its commit; None where its tag is none, which whoever may write the registry can make of it."""
        name = self.tags.get(provenance.COMMIT, provenance.UNKNOWN)
        return name if provenance.is_commit_hash(name) else None

    def locked(self, stage: str, path: str) -> str | None:
        """DVC's md5 of a stage's output, by the lock file."""
        outputs = (yaml.safe_load(self.lock or "") or {}).get("stages", {}).get(stage, {}).get("outs", [])
        return next((str(output["md5"]) for output in outputs if output["path"] == path), None)


@contextmanager
def traced(root: Path, version: "ModelVersion") -> Iterator[Traced]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)

        def kept(path: str) -> bytes | None:
            return artifact(version.run_id, path, folder)

        lock, settings = kept(f"{KEPT}/dvc.lock"), kept(f"{KEPT}/params.yaml")
        yield Traced(
            root,
            version,
            None if lock is None else lock.decode(),
            None if settings is None else settings.decode(),
            kept(tracking.PATCH) if version.tags.get(provenance.DIRTY) == "true" else None,
        )


def artifact(run_id: str, path: str, folder: Path) -> bytes | None:
    """A run's file; None if it has no such."""
    parent = str(Path(path).parent)
    # A server lists nothing under ".".
    names = {found.path for found in tracking.client().list_artifacts(run_id, None if parent == "." else parent)}
    if path not in names and Path(path).name not in names:
        return None
    return Path(tracking.client().download_artifacts(run_id, path, str(folder))).read_bytes()
