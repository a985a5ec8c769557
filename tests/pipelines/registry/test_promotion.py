"""Promotion and rollback, on a real MLflow store."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fm.errors import TryLater, UserError
from pipelines import promote
from pipelines.project import ROOT
from pipelines.records import tracking
from pipelines.registry import promotion
from pipelines.registry.gate import PROTOCOL, SET_VALUES
from tests import programs
from tests.ports import free_run

NAME = "digits-generator"
GOOD, BETTER, WORSE = [10.0, 10.2, 9.9, 10.1], [8.0, 8.3, 7.9, 8.0], [12.0, 12.1, 12.3, 12.0]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    tracking.create(database)
    return database


@pytest.fixture(autouse=True)
def store(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(template, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    tracking.client().create_registered_model(NAME)


def version(sets: list[float], metric: str = "fid_classifier") -> str:
    """A new version, the candidate, with what the gate asks for as its tags."""
    tags = {SET_VALUES: json.dumps(sets), f"{PROTOCOL}metric": metric, f"{PROTOCOL}nfe": "10"}
    made = tracking.client().create_model_version(NAME, source="s3://models/one", tags=tags).version
    tracking.client().set_registered_model_alias(NAME, promotion.CANDIDATE, made)
    return str(made)


def champion() -> str | None:
    return promotion.champion_of(promotion.registered(NAME))


def test_the_first_is_promoted_then_what_is_better_and_all_is_written_down() -> None:
    first = version(GOOD)
    promotion.promote(NAME, None, "the first", by="ann")
    second = version(BETTER)
    told = promotion.promote(NAME, None, "sharper sleeves", by="bob")
    assert champion() == second
    assert told == f"{NAME}: champion is version {second}, before it {first}; sharper sleeves"
    one, two = promotion.history(promotion.registered(NAME))
    assert (one.version, one.replaced, one.by, one.why, one.gate) == (
        first, None, "ann", "the first", "there is no champion yet"
    )  # fmt: skip
    assert (two.version, two.replaced, two.by, two.why) == (second, first, "bob", "sharper sleeves")
    assert two.gate.startswith("better: fid_classifier lower by 2")


@pytest.mark.parametrize(
    ("sets", "metric", "why"),
    [(WORSE, "fid_classifier", "not better for certain"), (BETTER, "kid", "another protocol")],
)
def test_what_the_gate_refuses_needs_to_be_said_twice(sets: list[float], metric: str, why: str) -> None:
    promotion.promote(NAME, version(GOOD), "the first")
    other = version(sets, metric)
    with pytest.raises(UserError, match=why):
        promotion.promote(NAME, other, "I like it")
    assert champion() == "1"
    assert len(promotion.history(promotion.registered(NAME))) == 1

    promotion.promote(NAME, other, "I like it", against_the_gate=True)

    assert champion() == other
    assert promotion.history(promotion.registered(NAME))[-1].gate.startswith("against the gate: not ")


def test_each_rollback_goes_one_champion_further_back() -> None:
    for sets in (WORSE, GOOD, BETTER):
        promotion.promote(NAME, version(sets), "better")
    assert champion() == "3"
    promotion.rollback(NAME, "complaints")
    assert champion() == "2"
    promotion.rollback(NAME, "still")
    assert champion() == "1"
    with pytest.raises(UserError, match="no champion before version 1"):
        promotion.rollback(NAME, "once more")
    promotion.promote(NAME, "3", "mended")
    assert champion() == "3"
    promotion.rollback(NAME, "not mended")
    assert champion() == "1"


def test_one_that_was_made_champion_by_hand_gives_way_to_the_last_of_the_history() -> None:
    promotion.promote(NAME, version(GOOD), "the first")
    by_hand = version(WORSE)
    tracking.client().set_registered_model_alias(NAME, promotion.CHAMPION, by_hand)
    promotion.rollback(NAME, "who did this?")
    assert champion() == "1"
    assert promotion.history(promotion.registered(NAME))[-1].replaced == by_hand


def test_no_line_of_the_history_is_written_over() -> None:
    for sets in (WORSE, GOOD):
        promotion.promote(NAME, version(sets), "better")
    kept = lines()["champion.history.0002"]
    tracking.client().delete_registered_model_tag(NAME, "champion.history.0001")

    promotion.promote(NAME, version(BETTER), "better")

    assert sorted(lines()) == ["champion.history.0002", "champion.history.0003"]
    assert lines()["champion.history.0002"] == kept


def test_what_another_has_written_since_the_model_was_read_stays() -> None:
    first, second = version(GOOD), version(BETTER)
    read_before = promotion.registered(NAME)
    promotion.promote(NAME, first, "the first", by="ann")

    promotion.change(read_before, "promotion", second, "at the same time", "not asked", by="bob")

    one, two = promotion.history(promotion.registered(NAME))
    assert (one.by, one.version, two.by, two.version, two.replaced) == ("ann", first, "bob", second, first)


def test_a_history_of_two_at_once_can_be_gone_on_with() -> None:
    for sets in (WORSE, GOOD, BETTER):
        promotion.promote(NAME, version(sets), "better")
    read_before = promotion.registered(NAME)
    for _ in range(2):
        promotion.rollback(NAME, "complaints", by="ann")
    promotion.change(read_before, "rollback", "2", "at the same time", "not asked", by="bob")
    assert champion() == "2"
    promotion.rollback(NAME, "and back")
    assert champion() == "1"


def lines() -> dict[str, str]:
    return dict(promotion.registered(NAME).tags)


def test_the_champion_is_not_promoted_again() -> None:
    promotion.promote(NAME, version(GOOD), "the first")
    assert promotion.promote(NAME, "1", "again") == f"{NAME}: version 1 is the champion already"
    assert len(promotion.history(promotion.registered(NAME))) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fashion", None, "why"), f"no registered model 'fashion': there are {NAME}"),
        ((NAME, "7", "why"), f"{NAME} has no version 7"),
        ((NAME, None, "why"), f"{NAME} has no alias candidate: name a version"),
    ],
)
def test_what_is_not_there_is_named(arguments: tuple[str, str | None, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        promotion.promote(*arguments)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: promotion.promote(NAME, None, "why"),
        lambda: promotion.rollback(NAME, "why"),
        lambda: promotion.registered(NAME),
    ],
)
def test_an_mlflow_that_does_not_answer_is_not_called_without_the_model(
    ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_run(1)}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TryLater, match="MLflow does not answer"):
        ask()


def test_a_reason_must_be_given() -> None:
    with pytest.raises(UserError, match="reason: is empty"):
        promotion.promote(NAME, version(GOOD), "  ")


def test_the_commands(tmp_path: Path) -> None:
    for sets in (GOOD, BETTER):
        version(sets)
        told = programs.run(promote.main, tmp_path, NAME, "--reason", "better")
        assert (told.returncode, "champion is version" in told.stdout) == (0, True), told.stderr
    refused = programs.run(promote.main, tmp_path, "fashion", "--reason", "better")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"no registered model 'fashion': there are {NAME}\n"
    command = [sys.executable, "-m", "pipelines.rollback", NAME, "--reason", "complaints"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{NAME}: champion is version 1")
    assert champion() == "1"
