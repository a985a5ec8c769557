"""The end of a worker's runs, with small processes in the place of flows and trainings."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.services import runs
from infra.services.health import wait_until

ENDS = """
import os, signal, sys, time

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
try:
    print("up", flush=True)
    time.sleep(600)
finally:
    {}
"""
FLOW = ENDS.format("pass")
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
OF_RUN = {"PREFECT__FLOW_RUN_ID": "1"}
COMMAND = OF_RUN | {"PIPELINE_PROCESSES": "a mark"}

Start = Callable[[str, dict[str, str]], "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program with variables, in the checkout `tmp_path`; it has begun then."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str, variables: dict[str, str]) -> "subprocess.Popen[str]":
        surroundings = {**os.environ, "PIPELINE_CHECKOUT": str(tmp_path), **variables}
        command = [sys.executable, "-c", program]
        process = subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_flows_and_what_they_left_are_asked_to_end(tmp_path: Path, start: Start) -> None:
    flow, left = start(FLOW, OF_RUN), start(FLOW, COMMAND)
    runs.end(tmp_path, 20, 20)
    assert (flow.wait(1), left.wait(1)) == (7, 7)


def test_who_does_not_end_is_killed(tmp_path: Path, start: Start) -> None:
    flow, left = start(STUBBORN, OF_RUN), start(STUBBORN, COMMAND)
    runs.end(tmp_path, 0.5, 0.5)
    assert (flow.wait(5), left.wait(5)) == (-signal.SIGKILL, -signal.SIGKILL)


def test_a_flow_ends_its_commands_itself(tmp_path: Path, start: Start) -> None:
    """Told at once, both would end in any order, and the command's end would look like a failure."""
    command = start(FLOW, COMMAND)
    start(ENDS.format(f"time.sleep(1); os.kill({command.pid}, signal.SIGKILL)"), OF_RUN)
    runs.end(tmp_path, 20, 20)
    assert command.wait(5) == -signal.SIGKILL


def test_the_worker_and_others_are_left_alone(tmp_path: Path, start: Start) -> None:
    worker = start(FLOW, {})
    other = start(FLOW, OF_RUN | {"PIPELINE_CHECKOUT": str(tmp_path / "another")})
    runs.end(tmp_path, 0.5, 0.5)
    assert not wait_until(lambda: worker.poll() is not None or other.poll() is not None, 1)
