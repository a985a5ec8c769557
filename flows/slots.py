"""This machine's place for work that trains, samples or times, as Prefect's pages show it: a concurrency limit.

Set-up makes it, one for each machine that has a worker. The place itself is the operating system's lock that the stages
take (pipelines.project.compute_slot): it is there without a server too, and stages run by hand obey it.
"""

import hashlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from httpx import TransportError
from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound

from flows.commands import Outcome, Runner
from flows.processes import Processes, Stopped
from flows.waiting import heard, waiting
from fm.errors import TryLater
from pipelines.project import HOLDER, holder_of, slots_dir

# Prefect calls it an error when the place is not free within the seconds that it is given.
logging.getLogger("prefect._internal.concurrency").addFilter(
    lambda record: not record.getMessage().startswith("Service 'ConcurrencySlotAcquisition")
)

LEASE_SECONDS = 60  # a run that was killed gives its place back after so long
SECONDS_BETWEEN = 5  # looks whether the run that waits is being stopped
WAITS = "waits for this machine's compute slot"
WITHOUT = ("resolve", "prepare")
"""Stages that only read and write."""
OWN = threading.Lock()
"""The place of this process's stages where set-up has made none."""
OWNER: list[str] = []
"""Which of them has it."""


def name() -> str:
    """One for each machine and folder of locks: work that takes its lock in another folder does not wait for this."""
    return f"compute-{socket.gethostname()}-{hashlib.sha256(str(slots_dir()).encode()).hexdigest()[:6]}"


def exists() -> bool:
    """Whether set-up has made this machine's limit. Raises TryLater: Prefect does not answer."""
    try:
        with get_client(sync_client=True) as client:
            client.read_global_concurrency_limit_by_name(name())
    except ObjectNotFound:
        return False
    except TransportError as error:
        raise TryLater(f"Prefect does not answer: {error or type(error).__name__}") from None
    return True


def make() -> None:
    """Make this machine's limit, one at a time, unless there is one."""
    if not exists():
        with get_client(sync_client=True) as client:
            client.upsert_global_concurrency_limit_by_name(name(), 1)


@contextmanager
def held(stage: str, processes: Processes) -> Iterator[None]:
    """Hold the machine's place while a stage runs; without set-up there is none, and this process's own stages take
    turns: what the next one loads while it starts would slow down the one that is timed.

    Raises:
        Stopped: the run is being stopped while it waits.
        TryLater: Prefect does not answer.
    """
    with ExitStack() as stack:
        if stage not in WITHOUT:
            if exists():
                take(stack, processes)
            else:
                take_own(stage, stack, processes)
        yield


def holding(runner: Runner) -> Callable[[str, Callable[[str], None]], Outcome]:
    """How a runner brings a stage up to date, with the machine's place held meanwhile."""

    def run_stage(name: str, log: Callable[[str], None]) -> Outcome:
        with held(name, runner.processes), heard(log) as listen:
            return runner.stage(name, listen)

    return run_stage


def take_own(stage: str, stack: ExitStack, processes: Processes) -> None:
    if not OWN.acquire(blocking=False):
        with waiting(f"{WAITS}: {' '.join(OWNER) or 'another stage'} has it"):
            while not OWN.acquire(timeout=SECONDS_BETWEEN):
                if processes.stopped:
                    raise Stopped
    stack.callback(OWN.release)
    OWNER[:] = [stage]
    stack.callback(OWNER.clear)


def take(stack: ExitStack, processes: Processes) -> None:
    if not is_taken(stack):
        with waiting(f"{WAITS}: {'; '.join(holders()) or 'another stage has it'}"):
            while not is_taken(stack):
                if processes.stopped:
                    raise Stopped


def holders() -> list[str]:
    """Who computes on this machine, in words: each kind of device has a lock of its own."""
    return [holder_of(file) for file in sorted(slots_dir().glob(f"*{HOLDER}"))]


def is_taken(stack: ExitStack) -> bool:
    """Whether the place was free, or became so within SECONDS_BETWEEN: then it is held."""
    # A training goes on while Prefect cannot be reached.
    place = concurrency(
        name(), timeout_seconds=SECONDS_BETWEEN, lease_duration=LEASE_SECONDS, raise_on_lease_renewal_failure=False
    )
    try:
        stack.enter_context(place)
    except TimeoutError:
        return False
    return True
