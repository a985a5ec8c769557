import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fm.errors import UserError
from pipelines import provenance, tracking
from pipelines.project import CACHE_VARIABLE, ROOT
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
    parent = tracking.start_parent("pipeline", {"flow": "x"})
    monkeypatch.setenv(tracking.PARENT_RUN_VARIABLE, parent)
    (store / "notes").mkdir()
    (store / "notes" / "a.txt").write_text("a")
    with tracking.stage_run(STAGE, "digits") as run:
        assert status(run.run_id) == "RUNNING"
        run.params({"method": "diffusion", "train.precision": None})
        run.metrics({"loss": 2.0, "rate": 0.1}, 1)
        run.metrics({"loss": 1.0}, 2)
        run.image("samples", np.zeros((8, 8, 1), np.uint8), 2)
        run.artifact(store / "notes", "notes")
        run.artifact(store / "notes" / "a.txt")
        run.dataset_input("digits", DATA, "data/prepared")
    tracking.keep(parent, [store / "notes" / "a.txt"], {"quality": 0.2}, "# Found")
    tracking.finish(parent, "FINISHED")

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
    assert ended.data.metrics == {"quality": 0.2}


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
    left = tracking.start(container, STAGE.name, {tracking.STAGE_KEY: STAGE.key})
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


def test_a_deleted_experiment_is_said_in_a_line() -> None:
    tracking.client().delete_experiment(tracking.experiment_id("digits"))
    with pytest.raises(UserError, match="mlflow experiments restore --experiment-id"):
        tracking.experiment_id("digits")


def test_processes_that_set_up_one_store_at_once(tmp_path: Path) -> None:
    program = """
from pipelines import tracking
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
        for number in range(3)
    ]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    assert sorted(said) == ["", "", f"setting up {folder / 'mlflow.db'}\n"]
