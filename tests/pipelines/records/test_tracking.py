import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, event

from fm.errors import UserError
from pipelines.project import CACHE_VARIABLE, ROOT
from pipelines.records import delivery, outbox, provenance, tracking
from pipelines.stage import Stage

DATA = "d" * 32 + ".dir"
STAGE = Stage("train@diffusion", {"train.seed": 0}, {"data/prepared": DATA})


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    tracking.create(database)
    return database


@pytest.fixture(autouse=True)
def store(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(template, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.delenv(tracking.PARENT_RUN_VARIABLE, raising=False)
    monkeypatch.setattr(outbox, "cache_dir", lambda: tmp_path / "cache")
    return tmp_path


def status(run_id: str) -> str:
    return str(tracking.client().get_run(run_id).info.status)


def steps(run_id: str, name: str) -> list[int]:
    return [metric.step for metric in tracking.client().get_metric_history(run_id, name)]


def images(run_id: str) -> list[str]:
    names = [file.path for file in tracking.client().list_artifacts(run_id, "images")]
    return sorted(name.split("+timestamp+")[0] for name in names if name.endswith(".png"))


def test_the_store_is_the_projects_own_unless_the_environment_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert tracking.uri() == "http://localhost:5000"
    assert tracking.database_file(tracking.uri()) is None
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking.database_file(tracking.uri()) == ROOT / "mlflow.db"


def test_a_run_holds_everything(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (store / "notes").mkdir()
    (store / "notes" / "a.txt").write_text("a")
    with tracking.parent_run("pipeline", {"flow": "x"}) as whole:
        parent = whole.run_id
        assert whole.variables == {tracking.PARENT_RUN_VARIABLE: parent}
        monkeypatch.setenv(tracking.PARENT_RUN_VARIABLE, parent)
        with tracking.stage_run(STAGE, "digits") as run:
            assert status(run.run_id) == "RUNNING"
            run.params({"method": "diffusion", "train.precision": None})
            run.metrics({"loss": 2.0, "rate": 0.1}, 1)
            run.metrics({"loss": 1.0}, 2, whole={"loss/diffusion": 1.0})
            run.image("samples", np.zeros((8, 8, 1), np.uint8), 2)
            run.artifact(store / "notes", "notes")
            run.artifact(store / "notes" / "a.txt")
            run.dataset_input("digits", DATA, "data/prepared")
        whole.keep([store / "notes" / "a.txt"], {"quality": 0.2}, "# Found")

    found = tracking.client().get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "train@diffusion: pipeline"
    assert found.info.artifact_uri.startswith((store / "mlruns").as_uri())
    assert found.data.params == {"method": "diffusion", "train.precision": "None"}
    assert found.data.metrics["loss"] == 1.0
    assert steps(run.run_id, "loss") == [1, 2]
    assert images(run.run_id) == ["images/samples+step+2"]
    assert {file.path for file in tracking.client().list_artifacts(run.run_id)} >= {"a.txt", "notes", "images"}
    assert found.data.tags["stage.key"] == STAGE.key
    assert found.data.tags["mlflow.parentRunId"] == parent
    assert found.data.tags["data.md5"] == DATA
    [used] = found.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("digits", DATA)
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]
    ended = tracking.client().get_run(parent)
    assert (ended.info.status, ended.info.run_name, ended.data.tags["flow"]) == ("FINISHED", "pipeline", "x")
    assert {"git.commit", "git.dirty", "data.md5", "params.md5"} <= ended.data.tags.keys()
    assert ended.data.params["dataset.name"] == "fashion-mnist"
    assert (ended.data.tags["mlflow.source.name"], ended.data.tags["mlflow.note.content"]) == ("flows", "# Found")
    assert ended.data.tags["mlflow.user"] == provenance.user()
    assert ended.data.metrics == {"loss/diffusion": 1.0, "quality": 0.2}
    assert steps(parent, "loss/diffusion") == [2]


def test_a_link_opens_the_view_for_training(monkeypatch: pytest.MonkeyPatch) -> None:
    with tracking.parent_run("pipeline", {}) as run:
        place = f"experiments/{tracking.experiment_id('fashion-mnist')}/runs/{run.run_id}"
        assert (
            run.page() == tracking.page(run.run_id) == f"http://127.0.0.1:5000/#/{place}?workflowType=machine_learning"
        )
        monkeypatch.setattr(delivery.mlflow_store, "client", lambda: None)  # a store that does not answer
        assert run.page() is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ada:secret@mlflow.example/")
    assert tracking.page() == "https://mlflow.example/#/experiments?workflowType=machine_learning"


def test_a_run_s_charts_fill_while_it_goes_on(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tracking.parent_run("pipeline", {}) as whole:
        monkeypatch.setenv(tracking.PARENT_RUN_VARIABLE, whole.run_id)
        with tracking.stage_run(STAGE, "digits") as run:
            run.metrics({"loss": 2.0}, 1, whole={"loss/diffusion": 2.0})
            deadline = time.monotonic() + 60
            while not steps(whole.run_id, "loss/diffusion"):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert steps(run.run_id, "loss") == [1]
            assert status(whole.run_id) == status(run.run_id) == "RUNNING"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError(), "FAILED"),
        (SystemExit(1), "FAILED"),
        (SystemExit(143), "KILLED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(0), "FINISHED"),
    ],
)
def test_the_way_it_ends_is_the_runs_status(error: BaseException, expected: str) -> None:
    with pytest.raises(type(error)), tracking.stage_run(STAGE, "digits") as run:
        raise error
    assert status(run.run_id) == expected


def test_a_resumed_run_is_the_same_and_logs_no_step_twice() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(SystemExit), tracking.stage_run(STAGE, "digits") as first:
        first.params({"seed": 0})
        for step in range(4):
            first.metrics({"loss": 1.0, f"odd/{step % 2}": 1.0}, step)
        first.image("samples/one", picture, 2)
        sys.exit(143)
    with tracking.stage_run(STAGE, "digits") as second:
        assert status(second.run_id) == "RUNNING"
        second.params({"seed": 0})
        second.dataset_input("digits", DATA, "data/prepared")
        for step in range(2, 6):
            second.metrics({"loss": 1.0, f"odd/{step % 2}": 1.0}, step)
            second.image("samples/one", picture, step)
    assert second.resumed
    assert second.run_id == first.run_id
    assert steps(first.run_id, "loss") == list(range(6))
    assert steps(first.run_id, "odd/1") == [1, 3, 5]
    assert images(first.run_id) == [f"images/samples~one+step+{step}" for step in range(2, 6)]
    assert status(first.run_id) == "FINISHED"


def test_killed_outright_it_is_resumed_all_the_same() -> None:
    container = tracking.experiment_id("digits")
    left = tracking.client().create_run(container, tags={tracking.STAGE_KEY: STAGE.key}).info.run_id
    with tracking.stage_run(STAGE, "digits") as run:
        assert run.run_id == left


def test_what_is_finished_or_another_stages_is_not_resumed() -> None:
    other = Stage(STAGE.name, {"train.seed": 1}, STAGE.dependencies)
    with tracking.stage_run(STAGE, "digits") as first:
        pass
    with pytest.raises(RuntimeError), tracking.stage_run(other, "digits") as second:
        raise RuntimeError
    with tracking.stage_run(STAGE, "digits") as third:
        pass
    with tracking.stage_run(other, "digits", resume=False) as fourth:
        pass
    assert len({run.run_id for run in (first, second, third, fourth)}) == 4
    found = tracking.find_run(tracking.experiment_id("digits"), STAGE.key, finished=True)
    assert found is not None
    assert found.info.run_id == third.run_id


def test_uncommitted_changes_are_kept_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking.provenance, "uncommitted_patch", lambda: b"diff")
    with tracking.stage_run(STAGE, "digits") as run:
        pass
    found = tracking.client().get_run(run.run_id)
    assert found.data.tags["git.dirty"] == "true"
    assert Path(found.info.artifact_uri.removeprefix("file://"), "uncommitted.patch").read_bytes() == b"diff"


def test_a_deleted_experiment_is_said_in_a_line_before_a_run_begins() -> None:
    tracking.client().delete_experiment(tracking.experiment_id("digits"))
    with (
        pytest.raises(UserError, match="mlflow experiments restore --experiment-id"),
        tracking.stage_run(STAGE, "digits"),
    ):
        pytest.fail("it began")
    assert not list(outbox.home().iterdir())


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes takes a second, and as many tries."""
    monkeypatch.setattr(tracking, "PATIENCE", 0.5)
    monkeypatch.setattr(delivery, "SLOWEST", 0.5)
    monkeypatch.setattr(tracking, "SECONDS_TO_BEGIN", 0.5)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.mark.usefixtures("impatient")
def test_a_store_that_answers_nothing_holds_no_run_and_gets_all_in_order_when_it_does(
    store: Path, silent: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    here = os.environ["MLFLOW_TRACKING_URI"]
    monkeypatch.setattr(provenance, "uncommitted_patch", lambda: None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", silent)
    (store / "weights").write_text("those at the end")
    with tracking.stage_run(STAGE, "digits") as run:
        run.params({"seed": 0})
        began = time.monotonic()
        for step in range(3):
            run.metrics({"loss": float(step)}, step)
        run.image("samples", np.zeros((8, 8, 1), np.uint8), 2)
        run.artifact(store / "weights", "model")
        assert time.monotonic() - began < 1
    (store / "weights").unlink()
    last = capfd.readouterr().out.splitlines()[-1]
    assert f"MLflow at {silent} does not answer as it should" in last
    assert "8 entries of this run are kept in" in last

    # The same store is there again: as a test has it, at another address.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", here)
    [left] = (store / "cache/outbox").iterdir()
    (left / "store").write_text(here)
    with tracking.stage_run(Stage("evaluate@diffusion", {}, STAGE.dependencies), "digits") as later:
        assert later.run_id  # waits for it

    found = tracking.find_run(tracking.experiment_id("digits"), STAGE.key, finished=True)
    assert found is not None
    assert found.info.start_time < tracking.client().get_run(later.run_id).info.start_time
    assert found.data.params == {"seed": "0"}
    assert steps(found.info.run_id, "loss") == [0, 1, 2]
    assert images(found.info.run_id) == ["images/samples+step+2"]
    kept = tracking.client().download_artifacts(found.info.run_id, "model/weights", str(store))
    assert Path(kept).read_text() == "those at the end"
    assert not list((store / "cache/outbox").iterdir())


@pytest.fixture
def hasty() -> Iterator[None]:
    """MLflow's patience with a locked database is a second, not 20."""
    told: list[str] = []

    def shorter(connection: object, cursor: object, statement: str, parameters: object, *_: object) -> Any:
        if "busy_timeout = 20000" in statement:
            told.append(statement)
        return statement.replace("busy_timeout = 20000", "busy_timeout = 1000"), parameters

    event.listen(Engine, "before_cursor_execute", shorter, retval=True)
    yield
    event.remove(Engine, "before_cursor_execute", shorter)
    assert told, "MLflow says it in other words"


@pytest.mark.usefixtures("hasty")
def test_a_locked_database_is_waited_for(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "SLOWEST", 0.5)
    with tracking.stage_run(STAGE, "digits") as run:
        run_id = run.run_id
        holder = sqlite3.connect(store / "mlflow.db", isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN EXCLUSIVE")
        run.metrics({"loss": 1.0}, 1)
        threading.Timer(4, holder.rollback).start()
    assert status(run_id) == "FINISHED"
    assert steps(run_id, "loss") == [1]


def test_what_mlflow_refuses_is_said_and_the_rest_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with tracking.stage_run(STAGE, "digits") as run:
        run.params({"seed": 0})
        run.params({"seed": 1})
        run.metrics({"loss": 1.0}, 1)
    assert steps(run.run_id, "loss") == [1]
    assert (
        "MLflow refused 1 entries of this run, the first: Changing param values is not allowed"
        in capfd.readouterr().out
    )


KILLED = """
import os, signal, sys
from pipelines.records import tracking
from pipelines.stage import Stage
stage = Stage("train@a", {}, {"data/prepared": "d"})
with tracking.parent_run("pipeline", {}) as whole, tracking.stage_run(stage, "digits") as run:
    print(whole.run_id, run.run_id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_runs_of_what_was_killed_outright_are_ended_by_the_next(store: Path) -> None:
    environment = {**os.environ, CACHE_VARIABLE: str(store / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=False
    )
    killed = done.stdout.decode().split()
    assert [status(run_id) for run_id in killed] == ["RUNNING", "RUNNING"]
    with tracking.parent_run("pipeline", {}) as living, tracking.stage_run(STAGE, "digits"):
        assert [status(run_id) for run_id in killed] == ["KILLED", "KILLED"]
        assert status(living.run_id) == "RUNNING"


def test_processes_that_set_up_one_store_at_once(tmp_path: Path) -> None:
    program = """
from pipelines.records import tracking
from pipelines.stage import Stage
with tracking.stage_run(Stage("train@{0}", {{}}, {{"data/prepared": "d"}}), "digits") as run:
    run.metrics({{"loss": 1.0}}, 0)
"""
    folder = tmp_path / "new"
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        CACHE_VARIABLE: str(tmp_path / "cache"),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program.format(number)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert sorted(said) == ["", f"setting up {folder / 'mlflow.db'}\n"]
