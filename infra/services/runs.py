"""The runs of this checkout's workers, by their processes: to end them before what they report to is stopped."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from flows.processes import MARK_VARIABLE
from infra.services.leftovers import environment
from infra.services.programs import CHECKOUT_VARIABLE

RUN_VARIABLE = "PREFECT__FLOW_RUN_ID"
FLOW_SECONDS = 60.0  # a flow gives its commands 25 s, then removes its checkout and reports its end
COMMAND_SECONDS = 25.0


def end(root: Path, flow_seconds: float = FLOW_SECONDS, command_seconds: float = COMMAND_SECONDS) -> None:
    """End the runs: ask the flows, who end their commands and report it, then commands without a flow, then kill."""
    ask(lambda: flows(root), flow_seconds)
    ask(lambda: processes(root), command_seconds)
    for process in processes(root):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def ask(find: Callable[[], set[psutil.Process]], seconds: float) -> None:
    """Ask each once to end, those too that come meanwhile, and wait until there are none, or until time is up."""
    asked: set[psutil.Process] = set()
    deadline = time.monotonic() + seconds
    while (found := find()) and time.monotonic() < deadline:
        for process in found - asked:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        asked |= found
        time.sleep(0.2)


def processes(root: Path) -> set[psutil.Process]:
    """The flows that workers of this checkout have started, and all that these have."""
    return {process for process in psutil.process_iter() if is_of_run(environment(process), root)}


def flows(root: Path) -> set[psutil.Process]:
    return {process for process in psutil.process_iter() if is_flow(environment(process), root)}


def is_of_run(variables: dict[str, str], root: Path) -> bool:
    return RUN_VARIABLE in variables and variables.get(CHECKOUT_VARIABLE) == str(root)


def is_flow(variables: dict[str, str], root: Path) -> bool:
    return is_of_run(variables, root) and MARK_VARIABLE not in variables
