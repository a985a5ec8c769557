"""Steps with edges between them as tasks of the Prefect flow that is running."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from prefect import allow_failure, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed

from flows.commands import Outcome, StepFailed
from flows.faults import DELAYS
from flows.mistakes import Explained
from flows.processes import Stopped
from fm.errors import TryLater, UserError

# Prefect announces a failed state twice, once as an error with an empty traceback; that it tries again, once.
logging.getLogger("prefect.task_runs").addFilter(
    lambda record: record.levelno < logging.ERROR or not record.getMessage().startswith("Task run failed with state")
)

MEANING = {
    Outcome.EXECUTED: "It ran.",
    Outcome.RESTORED: "Its outputs came from the cache of an earlier run with the same inputs.",
    Outcome.UNCHANGED: "Its inputs and outputs are those of the last run.",
}

NOT_RUN = "NotRun"

Action = Callable[[Callable[[str], None]], Outcome]
"""Does a step's work and passes its output, line by line, to the function it is given."""


@dataclass(frozen=True)
class Step:
    name: str
    needs: tuple[str, ...]
    action: Action


class StepsFailed(Explained):
    """At least one step failed; the message is why, and at its end the headline: which, and what was not run."""

    def __init__(self, headline: str, errors: Iterable[object]) -> None:
        super().__init__("\n\n".join([*map(str, errors), headline]))
        self.headline = headline


def run_steps(steps: Sequence[Step]) -> dict[str, Outcome]:
    """Run every step once those it needs have succeeded, side by side where the edges allow it.

    When a step fails, those that need it are not run; the others are: their work is not lost on the
    next run. A step that fails by a transient fault is tried again.

    Raises:
        StepsFailed: after all others have ended.
    """
    futures: dict[str, PrefectFuture[Any]] = {}
    for step in steps:
        named = run_step.with_options(
            name=step.name, task_run_name=step.name, retries=len(DELAYS), retry_delay_seconds=DELAYS
        )
        needed = {name: futures[name] for name in step.needs}
        # Prefect would leave a task whose need has failed pending for ever.
        ended = [allow_failure(future) for future in needed.values()]
        futures[step.name] = named.submit(step.action, partial(lacking, needed), wait_for=ended, return_state=False)
    for future in futures.values():
        future.wait()
    states = {name: future.state for name, future in futures.items()}
    if not all(state.is_completed() for state in states.values()):
        raise failure(states)
    return {name: Outcome(state.name) for name, state in states.items()}


def lacking(needed: Mapping[str, PrefectFuture[Any]]) -> list[str]:
    """Those of the steps that are needed which did not succeed."""
    return [name for name, future in needed.items() if not future.state.is_completed()]


def is_transient(task: object, task_run: object, state: State[Any]) -> bool:
    """Whether Prefect is to try a failed step again."""
    return isinstance(state.data, StepFailed) and state.data.transient


# Prefect's own caching stays off: what must run is DVC's to decide.
@task(cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=is_transient)
def run_step(action: Action, lacks: Callable[[], list[str]]) -> State[Any]:
    """A state rather than an exception: Prefect would log the traceback of its own insides for a failed command."""
    if missing := lacks():
        # Failed, since Prefect lets a task look at no other unhappy end of one that it waits for.
        return Failed(name=NOT_RUN, message=f"Not run, for want of {', '.join(missing)}.")
    logger = get_run_logger()
    try:
        outcome = action(lambda line: logger.info("%s", line))
    except StepFailed as error:
        return Failed(message=error.headline, data=error)
    except UserError as error:
        return Failed(message=str(error), data=StepFailed(str(error), transient=isinstance(error, TryLater)))
    except Stopped:
        return Cancelled(message="The run was stopped.")
    return Completed(name=outcome.value, message=MEANING[outcome])


def failure(states: dict[str, State[Any]]) -> StepsFailed:
    not_run = [name for name, state in states.items() if state.name == NOT_RUN or state.is_pending()]
    failed = {name: state for name, state in states.items() if not state.is_completed() and name not in not_run}
    headline = f"Failed: {', '.join(failed)}."
    if not_run:
        headline += f" Not run because of that: {', '.join(not_run)}."
    return StepsFailed(headline, [state.result(raise_on_failure=False) for state in failed.values()])
