"""Promotion and rollback as flows, on a real Prefect server and a real MLflow store."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from pipelines.records import tracking
from pipelines.registry import promotion

NAME = "digits-generator"
SECONDS_TO_ANSWER = 120


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    tracking.create(database)
    return database


@pytest.fixture(autouse=True)
def registry(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> None:
    """A model of two versions, the second of which is champion, after the first."""
    shutil.copy(template, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    tracking.client().create_registered_model(NAME)
    for number in (1, 2):
        tracking.client().create_model_version(NAME, source="s3://models/one")
        promotion.promote(NAME, str(number), "better", against_the_gate=True, by="setup")


def champion() -> str | None:
    return promotion.champion_of(promotion.registered(NAME))


def last() -> promotion.Change:
    return promotion.history(promotion.registered(NAME))[-1]


def test_who_says_so_is_on_record() -> None:
    from flows.promotion import promote, rollback

    assert rollback(model=NAME, reason="complaints", by="Ada", return_state=True).is_completed()
    assert (last().kind, last().by, champion()) == ("rollback", "Ada", "1")
    wish: dict[str, Any] = {"model": NAME, "reason": "mended", "version": 2, "against_the_gate": True}
    assert promote(**wish, by="Bob", return_state=True).is_completed()
    assert (last().kind, last().by, champion()) == ("promotion", "Bob", "2")


def test_a_form_left_empty_means_whoever_is_logged_in() -> None:
    from flows.promotion import rollback
    from pipelines.records import provenance

    rollback(model=NAME, reason="complaints", by=" ", return_state=True)
    assert last().by == provenance.user()


def test_a_rollback_waits_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.promotion.SECONDS_TO_ANSWER", SECONDS_TO_ANSWER)
    monkeypatch.setattr("flows.promotion.SECONDS_BETWEEN", 1)

    refused = ask(approved=False)
    assert (refused.type.value, refused.message) == ("FAILED", "Eve has not approved")
    assert champion() == "2"

    assert ask(approved=True).is_completed()
    assert (last().by, champion()) == ("Ada, approved by Eve", "1")


def ask(approved: bool) -> Any:
    """How a rollback that Ada asks for ends, once Eve has answered."""
    from flows.promotion import rollback

    with ThreadPoolExecutor(1) as pool:
        of_this_server = copy_context().run
        wish = {"model": NAME, "reason": "complaints", "by": "Ada", "ask_first": True}
        ended = pool.submit(of_this_server, rollback, **wish, return_state=True)
        answer(approved)
        return ended.result()


def answer(approved: bool) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter

    paused = FlowRunFilter.model_validate({"state": {"type": {"any_": ["PAUSED"]}}})
    given = {"approved": approved, "by": "Eve"}
    with get_client(sync_client=True) as client:
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        # A run is paused a moment before it can be answered.
        while not any(
            client.resume_flow_run(run.id, given).status == "ACCEPT"
            for run in client.read_flow_runs(flow_run_filter=paused)
        ):
            assert time.monotonic() < deadline, "no run has asked"
            time.sleep(0.2)
