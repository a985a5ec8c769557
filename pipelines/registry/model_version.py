"""A version of the registered model: the generator as code and safetensors, with its card and its tags."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pipelines.project import ROOT
from pipelines.records import tracking

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from fm.generator import Generator

FINGERPRINT = "generator.sha256"
CODE_FINGERPRINT = "code.sha256"
"""Of all else that MLflow runs of a version: its code, and what says how it is loaded."""
ARTIFACTS = "artifacts"
"""The folder of a model that has the generator and the pages."""
LEFT_BY_LOADING = "registered_model_meta"
"""MLflow's load_model writes it where the model lies, if that is a folder of this machine."""
NEEDED_BY_FM = ("torch", "numpy", "scipy", "safetensors", "pydantic", "torchdiffeq", "pillow")


def create(
    name: str,
    run_id: str,
    generator: "Generator",
    folder: Path,
    pages: Path,
    tags: Mapping[str, str],
    description: str,
) -> "ModelVersion":
    """Log the model to a run and make it a version.

    Args:
        folder: the generator's.
        pages: a folder whose files lie beside it among the model's artifacts.
        description: Markdown, which the version's page shows.
    """
    store = tracking.client()
    model = log(run_id, generator, folder, pages)
    code = code_fingerprint(f"models:/{model.model_id}")
    store.set_tag(run_id, CODE_FINGERPRINT, code)
    ensure_registered(name)
    version = store.create_model_version(
        name,
        source=f"models:/{model.model_id}",
        run_id=run_id,
        model_id=model.model_id,
        tags={**tags, FINGERPRINT: fingerprint(folder), CODE_FINGERPRINT: code},
        description=description,
    )
    # By this the model's own page links to the version.
    versions = json.dumps([{"name": name, "version": version.version}])
    store.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": versions})
    return version


def log(run_id: str, generator: "Generator", folder: Path, pages: Path) -> Any:
    """Log the generator as code and safetensors: no pickle, and no need of this project to load it."""
    import mlflow

    mlflow.set_tracking_uri(tracking.uri())
    # MLflow's active run is good enough here: this command has one thread.
    with mlflow.start_run(run_id=run_id):
        return mlflow.pyfunc.log_model(
            name="generator",
            input_example=([example(generator)], {"num_samples": 2, "seed": 0}),
            **contents(generator, folder, sorted(pages.iterdir())),
        )


def example(generator: "Generator") -> dict[str, str]:
    """A row of a request."""
    from pipelines.registry.served_model import columns_of

    return {columns_of(generator.conditioner)[0]: one for one in generator.conditioner.examples[:1]}


def save(generator: "Generator", folder: Path, place: Path) -> None:
    """Put a model into a folder from which MLflow can run it, without registering it.

    Args:
        folder: the generator's, or that of a program (fm.exported).
        place: an empty folder.
    """
    import mlflow

    mlflow.pyfunc.save_model(path=str(place), **contents(generator, folder, []))


def contents(generator: "Generator", folder: Path, pages: Sequence[Path]) -> dict[str, Any]:
    """What a model is, as MLflow takes it."""
    from pipelines.registry import served_model

    return {
        "python_model": str(ROOT / "pipelines" / "registry" / "served_model.py"),
        "artifacts": {served_model.GENERATOR: str(folder), **{page.stem: str(page) for page in pages}},
        "code_paths": [str(ROOT / name) for name in code(generator)],
        "signature": served_model.signature(generator.codec, generator.conditioner),
        "pip_requirements": requirements(generator),
    }


def code(generator: "Generator") -> list[str]:
    """What of the checkout it takes to load the generator: `fm`, and `own` where it needs components from there."""
    return ["fm", *(["own"] if any(place.startswith("own.") for place in generator.config.needs) else [])]


def requirements(generator: "Generator") -> list[str]:
    """What `fm` and MLflow need to load the model, as it is installed here, and what an encoder of its texts needs."""
    from fm.conditions import Text

    conditioner = generator.conditioner
    needed = conditioner.encoder.packages if isinstance(conditioner, Text) else ()
    return [f"{name}=={installed(name).split('+')[0]}" for name in ("mlflow", *NEEDED_BY_FM, *needed)]


def ensure_registered(name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        tracking.client().create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def run_artifact(run_id: str, path: str) -> str:
    """The address of a run's artifact on MLflow's own pages. They show such a picture, but none that is a data URI."""
    return f"get-artifact?{urlencode({'path': path, 'run_uuid': run_id})}"


def code_fingerprint(model: str) -> str:
    """That of what MLflow runs of a model, `models:/<name>/<version>` or `models:/<id>`, as it is now."""
    with tempfile.TemporaryDirectory() as folder:
        download(model, Path(folder), without=ARTIFACTS)
        return fingerprint(Path(folder))


def download(model: str, folder: Path, without: str | None = None) -> None:
    """Put a model's files into a folder, but for what is called `without` there and what using it leaves behind."""
    import mlflow
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    mlflow.set_tracking_uri(tracking.uri())  # `models:/` is looked up there, whatever an argument says
    store = get_artifact_repository(model)
    for found in store.list_artifacts(None):  # one by one: with the whole comes MLflow's LEFT_BY_LOADING
        if found.path not in (without, LEFT_BY_LOADING):
            store.download_artifacts(found.path, str(folder))
    for compiled in list(folder.rglob("__pycache__")):  # by Python, which would run it in the code's stead
        shutil.rmtree(compiled)


def fingerprint(folder: Path, without: str | None = None) -> str:
    """SHA-256 over the names and contents of a folder's files, but for those in its folder `without`."""
    digest = hashlib.sha256()
    files = (path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0] != without)
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
