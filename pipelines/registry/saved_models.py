"""A generator by what people call it: its folder, or an alias or a version of the registered model.

What comes from the registry is held against the fingerprints that registration gave it before it is loaded or run: who
may write where MLflow keeps its files shall not run code here. Who may write the registry itself can.
"""

import tempfile
from collections.abc import Container
from pathlib import Path

from fm import devices
from fm.errors import UserError
from fm.generator import Generator
from pipelines.records import tracking
from pipelines.registry import model_version, versions
from pipelines.registry.model_version import ARTIFACTS, CODE_FINGERPRINT, FINGERPRINT, fingerprint


def load(name: str, own: Container[str] = ()) -> Generator:
    """What `pipelines.registry.versions.find` knows by this name, or a generator's folder; on a GPU where there is one.

    Args:
        own: what is not the library's and may be imported for it (Generator.load).

    Raises:
        UserError: there is no such thing, or it is not what was registered; the message says which.
        TryLater: MLflow does not answer.
    """
    if Path(name).is_dir() or "/" in name:
        return Generator.load(name, own).to(devices.pick("auto"))
    registered, version = versions.find(name)
    print(f"{registered}, version {version}")
    with versions.asking():
        return fetch(registered, version, own).to(devices.pick("auto"))


def fetch(registered: str, version: str, own: Container[str] = ()) -> Generator:
    """The generator of a version. Raises UserError: it is not what was registered."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = download(f"models:/{registered}/{version}", Path(scratch))
        require(registered, version, FINGERPRINT, fingerprint(folder))
        return Generator.load(folder, own)


def fetch_whole(registered: str, version: str, folder: Path) -> None:
    """Put a version into a folder, from which MLflow can run it. Raises UserError: it is not what was registered."""
    model_version.download(f"models:/{registered}/{version}", folder)
    require(registered, version, CODE_FINGERPRINT, fingerprint(folder, without=ARTIFACTS))
    require(registered, version, FINGERPRINT, fingerprint(folder / ARTIFACTS / generator_folder()))


def require(registered: str, version: str, tag: str, found: str) -> None:
    """Raises UserError unless a tag of the version is this fingerprint."""
    wanted = tracking.client().get_model_version(registered, version).tags.get(tag)
    if wanted is None:
        raise UserError(
            f"{registered}, version {version}: has no tag {tag} to hold its files against; `make register` makes a "
            "version that has it"
        )
    if found != wanted:
        raise UserError(
            f"{registered}, version {version}: its files are not those that were registered ({tag} is {wanted}, theirs "
            f"is {found}); nothing of them was run"
        )


def download(model: str, folder: Path) -> Path:
    """The generator's files of `models:/<name>/<version>`, put into `folder`; where they lie then."""
    import mlflow
    from mlflow.artifacts import download_artifacts

    mlflow.set_tracking_uri(tracking.uri())  # `models:/` is looked up there, whatever an argument says
    return Path(download_artifacts(artifact_uri=f"{model}/{ARTIFACTS}/{generator_folder()}", dst_path=str(folder)))


def generator_folder() -> str:
    from pipelines.registry.served_model import GENERATOR

    return GENERATOR
