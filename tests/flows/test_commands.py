"""What becomes of a command that fails, by real ones."""

import os
from pathlib import Path

import pytest

from flows.commands import Outcome, Runner, StepFailed
from flows.processes import Processes
from tests.flows import project


@pytest.mark.parametrize(("code", "passes"), [(os.EX_TEMPFAIL, True), (1, False), (2, False)])
def test_a_command_says_by_its_exit_code_whether_its_fault_is_transient(
    tmp_path: Path, code: int, passes: bool
) -> None:
    with Processes(grace=5) as processes, pytest.raises(StepFailed, match="shaky failed\n    told") as failed:
        runner = Runner(tmp_path, os.environ, processes)
        runner.run("shaky", ["sh", "-c", f"echo told; exit {code}"], lambda line: None)
    assert failed.value.transient is passes


def test_a_stage_that_is_forced_runs_though_nothing_has_changed(tmp_path: Path) -> None:
    root = project.make(tmp_path / "project", "first: {cmd: echo 1 > first.txt, outs: [first.txt]}")
    outcomes = []
    for forced in (frozenset[str](), frozenset[str](), frozenset({"first"})):
        with Processes(grace=5) as processes:
            outcomes.append(Runner(root, os.environ, processes, forced).stage("first", lambda line: None))
    assert outcomes == [Outcome.EXECUTED, Outcome.UNCHANGED, Outcome.EXECUTED]
