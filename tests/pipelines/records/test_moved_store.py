import shutil
from pathlib import Path
from urllib.request import url2pathname

import pytest
from mlflow import MlflowClient

from pipelines.records import tracking
from pipelines.records.mlflow_store import create


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    create(database)
    return database


@pytest.fixture
def checkout(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a store of its own, a picture and a model in it."""
    folder = tmp_path / "here, 100% ours"
    folder.mkdir()
    shutil.copy(template, folder / "mlflow.db")
    store = opened(folder, monkeypatch)
    run_id = store.create_run(tracking.experiment_id("digits")).info.run_id
    store.log_text(run_id, "a picture", "pictures/one.txt")
    store.create_registered_model("digits-generator")
    store.create_model_version("digits-generator", f"{store.get_run(run_id).info.artifact_uri}/model", run_id)
    elsewhere = store.create_experiment("elsewhere", "s3://bucket/mlruns")
    store.create_run(elsewhere)
    return folder


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    return tracking.client()


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree], ids=["moved", "copied"])
def test_pictures_and_models_are_found_where_the_checkout_is(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: object
) -> None:
    there = tmp_path / "there"
    assert callable(how)
    how(checkout, there)
    for _ in range(2):
        store = opened(there, monkeypatch)
        [run] = store.search_runs([tracking.experiment_id("digits")])
        assert run.info.artifact_uri.startswith((there / "mlruns").as_uri())
        kept = Path(store.download_artifacts(run.info.run_id, "pictures/one.txt", str(tmp_path)))
        assert kept.read_text() == "a picture"
        version = store.get_model_version("digits-generator", "1")
        assert version.source == f"{run.info.artifact_uri}/model"
        download = store.get_model_version_download_uri("digits-generator", "1")
        assert url2pathname(download).startswith(url2pathname((there / "mlruns").as_uri()))
        assert store.get_experiment_by_name("elsewhere").artifact_location == "s3://bucket/mlruns"
        new = store.create_run(tracking.experiment_id("digits"))
        assert new.info.artifact_uri.startswith((there / "mlruns").as_uri())
        store.delete_run(new.info.run_id)
