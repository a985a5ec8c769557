"""A generator by what people call it: its folder, or an alias or a version of the registered model."""

import tempfile
from pathlib import Path

from fm import devices
from fm.generator import Generator
from pipelines import tracking, versions


def load(name: str) -> Generator:
    """What `pipelines.versions.find` knows by this name, or a generator's folder; on a GPU where there is one.

    Raises:
        UserError: there is no such thing; the message says what there is.
        TryLater: MLflow does not answer.
    """
    if Path(name).is_dir() or "/" in name:
        return Generator.load(name).to(devices.pick("auto"))
    registered, version = versions.find(name)
    print(f"{registered}, version {version}")
    with versions.asking():
        return fetch(f"models:/{registered}/{version}").to(devices.pick("auto"))


def fetch(model: str) -> Generator:
    with tempfile.TemporaryDirectory() as folder:
        return Generator.load(download(model, Path(folder)))


def download(model: str, folder: Path) -> Path:
    """The generator's files of `models:/<name>/<version>`, put into `folder`; where they lie then."""
    import mlflow
    from mlflow.artifacts import download_artifacts

    from pipelines.served_model import GENERATOR

    mlflow.set_tracking_uri(tracking.uri())  # `models:/` is looked up there, whatever an argument says
    return Path(download_artifacts(artifact_uri=f"{model}/artifacts/{GENERATOR}", dst_path=str(folder)))
