"""What a server that was killed leaves running: its children keep its port, and nobody else asks them to stop."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

SERVICE_VARIABLE = "PIPELINE_SERVICE"
SECONDS = 10.0


def mark(root: Path, service: str) -> dict[str, str]:
    """By what the processes of a service of this checkout are known: their children inherit it."""
    return {SERVICE_VARIABLE: f"{service} of {root}"}


def end(root: Path, services: Sequence[str], seconds: float = SECONDS) -> list[str]:
    """End all processes of these services: ask, then kill.

    Returns:
        The services of which there were any.
    """
    found = {service: left for service in services if (left := processes(root, service))}
    for process in set().union(*found.values()):
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    deadline = time.monotonic() + seconds
    while (left := set().union(*(processes(root, service) for service in found))) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left)
    return list(found)


def processes(root: Path, service: str) -> set[psutil.Process]:
    wanted = mark(root, service)[SERVICE_VARIABLE]
    return {
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid()
        and environment(process).get(SERVICE_VARIABLE) == wanted
        and process.status() != psutil.STATUS_ZOMBIE
    }


def environment(process: psutil.Process) -> dict[str, str]:
    """Empty where there is none any more, or it is somebody else's to see."""
    try:
        return process.environ()
    except psutil.Error:
        return {}
