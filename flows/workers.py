"""Work on other machines, for instance a pipeline run's stages: whoever takes it from a work queue does it.

What a stage makes comes back through DVC's remote and its run cache, so that the run here restores it as it would
restore what it has made itself. Which machine is which is Prefect's work pools and queues to say.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.deployments import run_deployment

from flows import remote
from flows.commands import Outcome, Runner, StepFailed
from flows.processes import Processes, Stopped
from flows.waiting import shown_waiting
from flows.workspace import keep
from pipelines import edges, params
from pipelines.records import provenance

DEPLOYMENT = "stage/worker-stage"
HERE = ("resolve", "prepare")
"""Stages that read what lies on this machine alone, or take no time."""
SECONDS_BETWEEN = 2
KEPT = (params.FILE, edges.FILE, *provenance.WRITTEN_BY_THE_PIPELINE)
"""Files of a checkout that say what a run was, and what has come of it."""


@dataclass(frozen=True)
class Workers:
    """Runs stages by a work queue, for the run whose checkout `runner` has.

    Attributes:
        branch: on which the checkout's settings and lock file go to the workers.
        parameters: of the deployment, for every stage.
    """

    runner: Runner
    queue: str
    branch: str
    parameters: Mapping[str, str | None]
    one_at_a_time: Lock = field(default_factory=Lock)

    def stage(self, name: str, log: Callable[[str], None]) -> Outcome:
        """Let a worker bring a stage up to date, then restore what it made.

        Raises:
            StepFailed: it failed there; the message is what it said. Or it was lost, which is transient.
            Stopped: the run here is being stopped, and so is the one there.
        """
        if name in HERE:
            outcome = self.runner.stage(name, log)
            self.runner.push(name, log)
            return outcome
        with self.one_at_a_time:  # two stages in one repository
            commit = self.publish(name)
        parameters = {"name": name, "revision": commit, **self.parameters}
        ended = on_a_worker(name, DEPLOYMENT, parameters, self.queue, self.runner.processes, log)
        log(f"{ended.message} It is restored here.")
        if self.runner.stage(name, log, pull=True) is Outcome.EXECUTED:
            log(f"{name} ran here once more: what the worker made was not to be had from DVC's remote")
        return Outcome(ended.name)

    def publish(self, name: str) -> str:
        """Commit settings and lock file as they are now, where workers can have them."""
        place = self.runner.root
        commit = keep(place, self.branch, KEPT, f"Before {name}")
        remote.push(place, self.branch)
        return commit


def on_a_worker(
    name: str,
    deployment: str,
    parameters: Mapping[str, Any],
    queue: str,
    processes: Processes,
    log: Callable[[str], None],
) -> State[Any]:
    """Let a worker of a work queue run a deployment, and wait for its end.

    Args:
        name: what to call the work in a message.
        processes: when they are stopped, the run is cancelled.

    Returns:
        The final state, a completed one.

    Raises:
        StepFailed: it is another; the message is what it said. That it was lost is transient.
        Stopped: the run here is being stopped, and so is the one there.
    """
    run = run_deployment(deployment, parameters=dict(parameters), work_queue_name=queue, timeout=0)
    assert isinstance(run, FlowRun)
    reason = f"waits for a worker in the queue {queue}"
    log(reason)
    with shown_waiting(reason):
        wait(run.id, processes, lambda state: not state.is_scheduled() and not state.is_pending())
    ended = wait(run.id, processes, State.is_final)
    if not ended.is_completed():
        lost = ended.is_crashed()  # with its worker: another can do it
        raise StepFailed(f"{name}: {ended.name} on a worker", [ended.message or ""], transient=lost)
    return ended


def wait(run: UUID, processes: Processes, until: Callable[[State[Any]], bool]) -> State[Any]:
    """The first state of a worker's run of which `until` is true. Raises Stopped."""
    with get_client(sync_client=True) as client:
        while True:
            state = client.read_flow_run(run).state
            if state is not None and until(state):
                return state
            if processes.stopped:
                client.set_flow_run_state(run, State(type=StateType.CANCELLING))
                raise Stopped
            time.sleep(SECONDS_BETWEEN)
