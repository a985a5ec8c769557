"""Runs whose process was killed: Prefect's pages would show them running, and their tasks pending, for ever.

A run holds a lock of the operating system's; whose lock is free and still there has been killed. The next run of this
machine says so. The run of a machine that is gone is found by Prefect itself (infra/services/prefect_rules.py), its
tasks are not.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from filelock import FileLock, Timeout
from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Crashed

from pipelines.project import cache_dir

KILLED = "The process of this run was killed."
ENDED = "The run that this task was a part of has ended."
UNFINISHED = TaskRunFilter(
    state=TaskRunFilterState(
        type=TaskRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING, StateType.SCHEDULED])
    )
)
SECONDS_TO_REPORT = 60  # in which the last states of a run's tasks may still arrive


@contextmanager
def known_alive() -> Iterator[None]:
    """Around all that a flow run does. What killed runs have left is ended first."""
    folder = cache_dir() / "locks" / "flow-runs"
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(HTTPError):  # the next run will
        end_killed(folder)
    path = folder / f"{flow_run.id}.lock"
    with FileLock(path):
        yield
        path.unlink(missing_ok=True)


def end_killed(folder: Path) -> None:
    """Say of killed runs that they have crashed, and of the tasks of all that have ended."""
    with get_client(sync_client=True) as client:
        for path in folder.glob("*.lock"):
            lock = FileLock(path)
            try:
                lock.acquire(blocking=False)
            except Timeout:  # it is alive
                continue
            with lock:
                end(client, UUID(path.stem))
                path.unlink(missing_ok=True)
        ended = FlowRunFilterStateType(any_=[StateType.FAILED, StateType.CRASHED, StateType.CANCELLED])
        before = datetime.now(UTC) - timedelta(seconds=SECONDS_TO_REPORT)
        runs = FlowRunFilter(
            state=FlowRunFilterState(type=ended), end_time=FlowRunFilterEndTime.model_validate({"before_": before})
        )
        end_tasks(client, runs, ENDED)


def end(client: SyncPrefectClient, run: UUID) -> None:
    """One run, the runs within it, and their tasks."""
    within = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run]))
    runs = [run, *(each.id for each in client.read_flow_runs(flow_run_filter=within))]
    for each in runs:
        try:
            state = client.read_flow_run(each).state
        except ObjectNotFound:  # another server's
            continue
        if state is None or not state.is_final():
            client.set_flow_run_state(each, Crashed(message=KILLED), force=True)
    end_tasks(client, FlowRunFilter(id=FlowRunFilterId(any_=runs)), KILLED)


def end_tasks(client: SyncPrefectClient, runs: FlowRunFilter, why: str) -> None:
    for task in client.read_task_runs(flow_run_filter=runs, task_run_filter=UNFINISHED):
        client.set_task_run_state(task.id, Crashed(message=why), force=True)
