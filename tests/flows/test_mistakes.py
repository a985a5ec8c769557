"""What the log of a run has of its failure, as the process of a worker's run leaves it."""

import logging
from collections.abc import Iterator

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.flow_engine import run_flow
from prefect.states import Failed

from flows.steps import StepsFailed
from fm.errors import UserError

RUNS = logging.getLogger("prefect.flow_runs")


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.tracebacks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.tracebacks.append(record.getMessage())


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    RUNS.addHandler(handler)
    yield handler
    RUNS.removeHandler(handler)


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    "state",
    [
        Failed(message="no such setting", data=UserError("no such setting")),
        Failed(message="Failed: train.", data=StepsFailed("Failed: train.", ["exit 1"])),
        Failed(message="not approved"),
    ],
    ids=["a setting", "a stage", "words alone"],
)
def test_a_mistake_leaves_no_traceback(kept: Kept, state: State) -> None:
    @flow(persist_result=False)
    def failing() -> State:
        return state

    with pytest.raises(Exception, match=r"no such setting|Failed: train|not approved"):
        run_flow(failing, error_logger=RUNS)
    assert kept.tracebacks == []


@pytest.mark.usefixtures("prefect_server")
def test_a_fault_of_the_code_leaves_its_own(kept: Kept) -> None:
    @flow(persist_result=False)
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_flow(broken, error_logger=RUNS)
    assert kept.tracebacks
