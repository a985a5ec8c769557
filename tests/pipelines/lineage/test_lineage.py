"""An MLflow that does not answer has lost nothing."""

import sys

import pytest
from mlflow.exceptions import MlflowException

from fm.errors import TryLater
from pipelines.lineage import __main__ as lineage
from pipelines.lineage import links
from tests.ports import free_run


@pytest.fixture(autouse=True)
def nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_run(1)}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.mark.parametrize("asked", [["digits-generator@champion"], ["digits-generator/1"], ["--data", "0" * 32]])
def test_lineage_may_be_asked_later(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["lineage", *asked])
    with pytest.raises(TryLater, match="MLflow does not answer"):
        lineage.main()


def test_a_run_that_cannot_be_asked_for_is_not_called_deleted() -> None:
    with pytest.raises(MlflowException, match="failed with exception"):
        links.find_run("0" * 32)
