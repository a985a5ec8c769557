"""A generator by what people call it: its folder, or an alias or a version of the registered model."""

import tempfile
from pathlib import Path

from fm import devices
from fm.errors import UserError
from fm.generator import Generator
from pipelines import params, tracking


def load(name: str) -> Generator:
    """`champion`, another alias, a version's number, or a generator's folder; on a GPU where there is one.

    Raises:
        UserError: there is no such thing; the message says what there is.
    """
    if Path(name).is_dir() or "/" in name:
        return Generator.load(name).to(devices.pick("auto"))
    registered = params.load().register_.model_name
    version = find_version(str(registered), name)
    print(f"{registered}, version {version}")
    return fetch(f"models:/{registered}/{version}").to(devices.pick("auto"))


def find_version(registered: str, name: str) -> str:
    """The version's number that an alias or a number stands for."""
    from mlflow.exceptions import MlflowException

    store = tracking.client()
    try:
        if name.isdecimal():
            return str(store.get_model_version(registered, name).version)
        return str(store.get_model_version_by_alias(registered, name).version)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
    raise UserError(f"{registered} has no {described(name)}: {known(registered)}, or name a generator's folder")


def described(name: str) -> str:
    return f"version {name}" if name.isdecimal() else f"version called {name}"


def known(registered: str) -> str:
    """What there is, for a message."""
    store = tracking.client()
    found = sorted(store.search_model_versions(f"name = '{registered}'"), key=lambda one: int(one.version))
    if not found:
        return "nothing is registered yet, `make run` does that"
    aliases = store.get_registered_model(registered).aliases
    names = [f"{alias} (version {version})" for alias, version in sorted(aliases.items())]
    return f"there are the versions {', '.join(str(one.version) for one in found)}; {', '.join(names)}"


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
