"""A task that waits is said to wait, in its log and by its state on Prefect's pages: it would look as if it ran."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from prefect.client.schemas.objects import State, StateType
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger
from prefect.states import Running
from prefect.utilities.engine import emit_task_run_state_change_event

from pipelines.project import WAITING

NAME = "Waiting"


@contextmanager
def waiting(reason: str) -> Iterator[None]:
    """Say that the task that is running waits, as long as this lasts. Outside of one nothing is said."""
    if TaskRunContext.get():
        get_run_logger().info("%s", reason)
    with shown_waiting(reason):
        yield


@contextmanager
def heard(log: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """Pass a stage's output on to `log`; while it says itself that it waits, the task is shown to."""
    with ExitStack() as wait:

        def listen(line: str) -> None:
            log(line)
            wait.close()
            if line.startswith(WAITING):
                wait.enter_context(shown_waiting(line))

        yield listen


@contextmanager
def shown_waiting(reason: str) -> Iterator[None]:
    """The state alone."""
    if (task := TaskRunContext.get()) is None:
        yield
        return
    change(task, State(type=StateType.PENDING, name=NAME, message=reason))
    try:
        yield
    finally:
        change(task, Running())


def change(task: TaskRunContext, state: State[Any]) -> None:
    """Tell the server of a state as Prefect's engine does, which goes on from the state that it knows."""
    run = task.task_run
    state.state_details.task_run_id, state.state_details.flow_run_id = run.id, run.flow_run_id
    changes = {"state": state, "state_id": state.id, "state_type": state.type, "state_name": state.name}
    emit_task_run_state_change_event(run.model_copy(update=changes), initial_state=run.state, validated_state=state)
