"""What is registered, without MLflow: the same as MLflow says."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipelines.records import tracking
from pipelines.registry.glance import Registered, registered

NAME = "digits-generator"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv(tracking.URI_VARIABLE, f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tracking.client()


def test_versions_and_aliases_are_those_that_mlflow_has(store: MlflowClient) -> None:
    assert registered(NAME) == Registered({}, {})
    for name in (NAME, "another"):
        store.create_registered_model(name)
        for number in ("1", "2", "3"):
            store.create_model_version(name, f"file:///nowhere/{number}", tags={"number": number, "of": name})
        store.set_registered_model_alias(name, "champion", "2")
    store.delete_model_version(NAME, "1")

    found = registered(NAME)

    assert found is not None
    assert found.versions == {str(one.version): one.tags for one in store.search_model_versions(f"name = '{NAME}'")}
    assert found.versions.keys() == {"2", "3"}
    assert found.aliases == {"champion": "2"}


def test_what_cannot_be_read_so_is_left_to_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "damaged.db").write_text("no database " * 100)
    for uri in (f"sqlite:///{tmp_path}/none.db", f"sqlite:///{tmp_path}/damaged.db", "http://127.0.0.1:5000"):
        monkeypatch.setenv(tracking.URI_VARIABLE, uri)
        assert registered(NAME) is None
    assert not (tmp_path / "none.db").exists()
