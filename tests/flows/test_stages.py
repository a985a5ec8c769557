"""What becomes of a command that fails, by real ones."""

import os
from pathlib import Path

import pytest

from flows.processes import Processes
from flows.stages import Runner, StepFailed


@pytest.mark.parametrize(("code", "passes"), [(os.EX_TEMPFAIL, True), (1, False), (2, False)])
def test_a_command_says_by_its_exit_code_whether_its_fault_can_pass(tmp_path: Path, code: int, passes: bool) -> None:
    with Processes(grace=5) as processes, pytest.raises(StepFailed, match="shaky failed\n    told") as failed:
        runner = Runner(tmp_path, os.environ, processes)
        runner.run("shaky", ["sh", "-c", f"echo told; exit {code}"], lambda line: None)
    assert failed.value.can_pass is passes
