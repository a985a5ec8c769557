"""Whole runs: real stages, real DVC, a real Prefect server."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psutil
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL
from prefect.states import Completed

from flows import abandoned, graph, slots, steps, waiting
from flows.commands import Outcome, Runner
from flows.pipeline_flow import name_by_settings
from flows.processes import Processes
from flows.steps import Step, StepsFailed, run_steps
from fm.errors import TryLater, UserError
from pipelines.project import ROOT, WAITING
from tests.flows import project
from tests.flows.test_processes import all_end, wait_for


@pytest.fixture
def diamond(tmp_path: Path) -> Path:
    return project.make(tmp_path / "project", project.DIAMOND)


@pytest.mark.usefixtures("prefect_server")
def test_stages_run_side_by_side_then_are_unchanged_then_restored(diamond: Path) -> None:
    assert outcomes(diamond) == dict.fromkeys(graph.read(diamond), "Executed")
    assert outcomes(diamond) == dict.fromkeys(graph.read(diamond), "Unchanged")
    (diamond / "left.txt").unlink()
    (diamond / "dvc.lock").unlink()
    assert outcomes(diamond)["left"] == "Restored"
    assert (diamond / "left.txt").read_text() == "left"


@pytest.mark.usefixtures("prefect_server")
def test_prefect_has_a_task_for_each_stage_named_after_what_came_of_it(diamond: Path) -> None:
    state = project.stages(diamond, return_state=True)
    with get_client(sync_client=True) as client:
        deadline = time.monotonic() + 30  # the server takes the tasks' ends and the log in as they arrive
        while True:
            runs = [run for run in client.read_task_runs() if run.flow_run_id == state.state_details.flow_run_id]
            said = [log.message for log in client.read_logs() if log.flow_run_id == state.state_details.flow_run_id]
            ended = {run.name: run.state_name for run in runs} == dict.fromkeys(graph.read(diamond), "Executed")
            if ended and "left has met right" in said:
                break
            assert time.monotonic() < deadline, (runs, said)
            time.sleep(0.2)


@pytest.mark.usefixtures("prefect_server")
def test_a_failing_stage_stops_those_that_need_it_and_no_other(tmp_path: Path) -> None:
    root = project.make(
        tmp_path / "project",
        """
        bad: {cmd: "echo the disk is on fire; exit 3", outs: [bad.txt]}
        after: {cmd: echo 1 > after.txt, deps: [bad.txt], outs: [after.txt]}
        later: {cmd: echo 1 > later.txt, deps: [after.txt], outs: [later.txt]}
        beside: {cmd: echo 1 > beside.txt, outs: [beside.txt]}
        """,
    )
    state = project.stages(root, return_state=True)
    error = state.result(raise_on_failure=False)
    assert state.is_failed()
    assert isinstance(error, StepsFailed)
    assert state.message == "Failed: bad. Not run because of that: after, later."
    assert "the disk is on fire" in str(error)
    assert str(error).splitlines()[-1] == state.message
    assert (root / "beside.txt").exists()
    assert not (root / "after.txt").exists()
    for name in ("after", "later"):
        assert task_states(state, name)[-1] == ("NotRun", True)  # and not pending for ever


def task_states(flow_state: State[Any], name: str) -> list[tuple[str, bool]]:
    """The states that a task of a flow run has had, and which of them are final, once the server has its end."""
    with get_client(sync_client=True) as client:
        deadline = time.monotonic() + 60
        while True:
            runs = [one for one in client.read_task_runs() if one.flow_run_id == flow_state.state_details.flow_run_id]
            (run,) = [one for one in runs if one.name == name]
            states = [(one.name, one.is_final()) for one in client.read_task_run_states(run.id)]
            if states and states[-1][1]:
                return states
            assert time.monotonic() < deadline, states
            time.sleep(0.2)


@pytest.mark.usefixtures("prefect_server")
def test_a_stage_that_waits_for_the_compute_slot_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether another stage of this process has it, or somebody else on this machine: the stage itself says that."""
    monkeypatch.setattr(slots, "SECONDS_BETWEEN", 0.1)
    logs: list[str] = []
    runner = Runner(ROOT, os.environ, Processes())

    def computing(name: str, log: Callable[[str], None]) -> Outcome:
        if name == "train@b":
            log(f"{WAITING}: somebody has it")
            log("has the compute slot")
        time.sleep(2)
        return Outcome.EXECUTED

    monkeypatch.setattr(Runner, "stage", lambda self, name, log: computing(name, log))
    monkeypatch.setattr(waiting, "get_run_logger", lambda: SimpleNamespace(info=lambda _, text: logs.append(text)))

    @flow(persist_result=False)
    def both() -> State[Any]:
        run_steps([Step(name, (), partial(slots.holding(runner), name)) for name in ("train@a", "train@b")])
        return Completed()

    state = both(return_state=True)
    waits = [name for one in ("train@a", "train@b") for name, _ in task_states(state, one) if name == "Waiting"]
    assert logs in [[f"{slots.WAITS}: {name} has it"] for name in ("train@a", "train@b")]
    assert len(waits) == 2
    assert task_states(state, "train@b")[-2:] == [("Running", False), ("Executed", True)]


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(("says", "tries"), [("exit 75", 2), ("echo Connection refused; exit 1", 2), ("exit 1", 1)])
def test_what_is_transient_is_tried_again_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, tries: int
) -> None:
    monkeypatch.setattr(steps, "DELAYS", [0.1])
    command = f"echo try >> tries; test $(wc -l < tries) -gt 1 || {{ {says}; }}; echo 1 > out.txt"
    root = project.make(tmp_path / "project", f"shaky: {{cmd: {json.dumps(f'({command})')}, outs: [out.txt]}}")
    state = project.stages(root, return_state=True)
    assert state.is_completed() is (tries == 2)
    assert (root / "tries").read_text() == "try\n" * tries


@pytest.mark.usefixtures("prefect_server")
def test_a_mistake_outside_a_command_is_a_failed_step_and_what_is_transient_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steps, "DELAYS", [0.1])
    tries: list[str] = []

    def push(error: UserError, log: object) -> Outcome:
        tries.append(str(error))
        raise error

    @flow(persist_result=False)
    def both() -> None:
        errors = (TryLater("the remote is away"), UserError("no such branch"))
        run_steps([Step(str(error), (), partial(push, error)) for error in errors])

    with pytest.raises(StepsFailed, match=r"Failed: the remote is away, no such branch\."):
        both()
    assert sorted(tries) == ["no such branch", "the remote is away", "the remote is away"]


@pytest.mark.usefixtures("prefect_server")
def test_a_run_is_called_by_its_settings_unless_somebody_has_named_it(tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)

    @flow(persist_result=False)
    def one() -> str:
        name_by_settings(tmp_path)
        return str(flow_run.name)

    assert one() == "fashion-mnist"
    named = one.with_options(flow_run_name="Ada's")(return_state=True)
    assert named.result() == "Ada's"
    with get_client(sync_client=True) as client:
        names = [run.name for run in client.read_flow_runs()]
    assert {"fashion-mnist", "Ada's"} <= set(names)


TRAINER = """
import os, pathlib, signal, sys, time

def save(*_):
    pathlib.Path("saved").touch()
    sys.exit(143)

signal.signal(signal.SIGTERM, save)
pathlib.Path("pid").write_text(str(os.getpid()))
time.sleep(600)
"""


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("number", "send", "code"),
    [
        (signal.SIGTERM, os.kill, 143),
        pytest.param(signal.SIGTERM, os.killpg, 143, marks=pytest.mark.runs),
        (signal.SIGINT, os.killpg, 130),
    ],
    ids=["SIGTERM", "SIGTERM to the group, as from a worker", "Ctrl-C"],
)
def test_a_stopped_run_lets_the_trainer_save_and_leaves_no_process(
    tmp_path: Path, number: signal.Signals, send: object, code: int
) -> None:
    root = project.make(tmp_path / "project", "long: {cmd: PYTHON trainer.py, outs: [long.txt]}", trainer=TRAINER)
    home = tmp_path / "prefect"
    copy_database(home)
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.flows.project", str(root)],
        cwd=ROOT,
        env={**os.environ, "PREFECT_HOME": str(home), "PREFECT_API_URL": ""},
        start_new_session=True,
        # What a script starts in the background inherits an ignored SIGINT, and so would all that the tests start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(root / "pid")
    family = psutil.Process(run.pid).children(recursive=True)
    assert len(family) >= 3  # DVC, the trainer, the Prefect server
    assert callable(send)
    send(run.pid, number)
    assert run.wait(30) == code
    assert (root / "saved").exists()
    assert all_end(family)


def copy_database(home: Path) -> None:
    """Of the tests' own server, for another one: to make it takes ten seconds."""
    home.mkdir()
    with (
        closing(sqlite3.connect(Path(os.environ["PREFECT_HOME"], "prefect.db"))) as ours,
        closing(sqlite3.connect(home / "prefect.db")) as copy,
    ):
        ours.backup(copy)


@pytest.mark.usefixtures("prefect_server")
def test_the_next_run_ends_what_a_killed_one_has_left_running_and_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(abandoned, "cache_dir", lambda: tmp_path / "cache")
    root = project.make(
        tmp_path / "project",
        """
        long: {cmd: "echo 1 > began; sleep 600", outs: [long.txt]}
        after: {cmd: echo 1 > after.txt, deps: [long.txt], outs: [after.txt]}
        """,
    )
    server = {each.name: str(each.value()) for each in (PREFECT_API_URL, PREFECT_API_AUTH_STRING)}
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.flows.project", str(root)], cwd=ROOT, env={**os.environ, **server}
    )
    wait_for(root / "began")
    (lock,) = (tmp_path / "cache" / "locks" / "flow-runs").iterdir()
    killed = UUID(lock.stem)
    with get_client(sync_client=True) as client:
        ours = FlowRunFilter(id=FlowRunFilterId(any_=[killed]))
        wait_until(lambda: len(client.read_task_runs(flow_run_filter=ours)), 2)
        family = psutil.Process(run.pid).children(recursive=True)
        run.kill()
        run.wait()
        for process in family:
            process.kill()

        project.stages(project.make(tmp_path / "other", "one: {cmd: echo 1 > one.txt, outs: [one.txt]}"))

        assert client.read_flow_run(killed).state_name == "Crashed"
        assert {task.state_name for task in client.read_task_runs(flow_run_filter=ours)} == {"Crashed"}
    assert list(lock.parent.iterdir()) == []


def wait_until(look: Callable[[], object], sees: object) -> None:
    deadline = time.monotonic() + 60
    while (seen := look()) != sees:
        assert time.monotonic() < deadline, seen
        time.sleep(0.2)


def test_a_mistake_in_the_settings_is_one_line_before_anything_runs(tmp_path: Path) -> None:
    for package in ("fm", "flows", "pipelines"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    settings = (ROOT / "params.yaml").read_text().replace("gradient_clip: 1.0", "gradient_clip: much")
    (tmp_path / "params.yaml").write_text(settings)
    done = subprocess.run(
        [sys.executable, "-m", "flows.pipeline"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "train.gradient_clip = 'much'" in done.stderr
    assert not (tmp_path / ".prefect" / "prefect.db").exists()


def outcomes(root: Path) -> dict[str, str]:
    message = project.stages(root, return_state=True).message
    assert message is not None
    return dict(part.split("=") for part in message.split())
