"""Run commands, line by line, so that none of their processes outlives the run."""

import codecs
import os
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil

MARK_VARIABLE = "PIPELINE_PROCESSES"
GRACE_SECONDS = 25.0  # a Prefect worker kills the group 30 s after it asked
# Ctrl-C reaches every process of the terminal's group; what it means for the commands is for `stop` to say.
IGNORING_INTERRUPTS = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Stopped(Exception):
    """The run is being stopped: the command was ended, or never started."""


class Processes:
    """The commands of one run. Leaving the context ends whatever still runs.

    The commands stay in the caller's process group: a Prefect worker cancels a run by signalling that
    group. They then die in any order, and a child whose parent went first can no longer be found
    through it. So every process is recognised by a mark in its environment, which it inherits.
    """

    def __init__(self, grace: float = GRACE_SECONDS) -> None:
        self.grace = grace
        self.mark = uuid.uuid4().hex
        self.stopped = False
        self.lock = threading.Lock()

    def run(self, command: list[str], cwd: Path, environment: Mapping[str, str], log: Callable[[str], None]) -> int:
        """Run a command to its end, pass its output on as it comes, and return its exit code.

        Raises:
            Stopped: `stop` was called before or meanwhile.
        """
        variables = {**environment, "PYTHONUNBUFFERED": "1", MARK_VARIABLE: self.mark}
        with self.lock:  # or a command could start between `stop`'s last look and the end of the run
            if self.stopped:
                raise Stopped
            process = subprocess.Popen(
                [*IGNORING_INTERRUPTS, *command],
                cwd=cwd,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        assert process.stdout is not None
        with process.stdout as output:
            for line in lines(output):
                log(line)
        code = process.wait()
        if self.stopped:
            raise Stopped
        return code

    def stop(self) -> None:
        """End every process: ask first, so that a trainer saves its checkpoint, then kill.

        Being interrupted here (a second Ctrl-C) kills at once.
        """
        with self.lock:
            self.stopped = True
        asked: set[psutil.Process] = set()
        deadline = time.monotonic() + self.grace
        try:
            while (alive := self.alive(asked)) and time.monotonic() < deadline:
                for process in alive - asked:
                    with suppress(psutil.NoSuchProcess):
                        process.terminate()
                asked |= alive
                time.sleep(0.1)
        finally:
            for process in self.alive(asked):
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def alive(self, known: set[psutil.Process]) -> set[psutil.Process]:
        """The running processes of these commands: those marked, their children, and those `known` before."""
        found = {process for process in known if process.is_running()}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(MARK_VARIABLE) == self.mark:
                    found |= {process, *process.children(recursive=True)}
        return {process for process in found if not is_zombie(process)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def lines(stream: IO[bytes]) -> Iterator[str]:
    """The lines of a stream as soon as they are whole, as a terminal would show them in the end.

    A progress bar writes over its own line with carriage returns: what it wrote last is the line.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pending = ""
    while chunk := os.read(stream.fileno(), 65536):
        *whole, pending = (pending + decoder.decode(chunk)).split("\n")
        yield from filter(None, map(shown, whole))
        ahead = pending.rstrip("\r")  # what the next chunk may still write over
        pending = ahead.rpartition("\r")[2] + pending[len(ahead) :]
    if rest := shown(pending):
        yield rest


def shown(line: str) -> str:
    return ESCAPES.sub("", line.rstrip().rpartition("\r")[2]).rstrip()
