"""Steps that are tried again, by real commands."""

import os
import sys
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.processes import Processes
from flows.stages import Outcome, Runner
from flows.steps import Step, StepsFailed, run_steps

# Ends with the code, and leaves a mark; from the third time on it succeeds.
COMMAND = """
import pathlib, sys
marks = pathlib.Path("marks")
marks.mkdir(exist_ok=True)
number = len(list(marks.iterdir()))
(marks / str(number)).touch()
print("attempt", number)
sys.exit(int(sys.argv[1]) if number < 2 else 0)
"""


@flow
def attempts(root: Path, code: int, waits: tuple[float, ...]) -> State:
    with Processes(grace=5) as processes:
        runner = Runner(root, os.environ, processes)

        def action(log) -> Outcome:  # type: ignore[no-untyped-def]
            runner.run("counting", [sys.executable, "-c", COMMAND, str(code)], log)
            return Outcome.EXECUTED

        try:
            outcomes = run_steps([Step("first", (), action, waits)])
        except StepsFailed as error:
            return Failed(message=str(error), data=error)
    return Completed(message=outcomes["first"].value)


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("code", "waits", "number", "completed"),
    [
        (os.EX_TEMPFAIL, (0.1, 0.1), 3, True),
        (os.EX_TEMPFAIL, (0.1,), 2, False),
        (os.EX_TEMPFAIL, (), 1, False),
        (1, (0.1, 0.1), 1, False),
    ],
)
def test_what_can_pass_is_tried_again_and_nothing_else(
    tmp_path: Path, code: int, waits: tuple[float, ...], number: int, completed: bool
) -> None:
    state = attempts(tmp_path, code, waits, return_state=True)
    assert len(list((tmp_path / "marks").iterdir())) == number
    assert state.is_completed() == completed
    if not completed:
        assert f"attempt {number - 1}" in str(state.message)
        assert str(state.message).endswith("Failed: first.")
