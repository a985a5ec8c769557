import io
import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from flows.processes import MARK_VARIABLE, Processes, Stopped, is_zombie, lines


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 120  # where other tests run beside it
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text()


def all_end(processes: Iterable[psutil.Process]) -> bool:
    """Whether all these are gone within some seconds, but for zombies, which are for their parents to bury."""
    deadline = time.monotonic() + 10
    while left := [process for process in processes if process.is_running() and not is_zombie(process)]:
        if time.monotonic() > deadline:
            print(left)
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo", ["one", "two"]),
        (b" 10%\r 20%\r100%\ndone\n", ["100%", "done"]),
        (b" 10%\r 20%\r", [" 20%"]),
        (b"\x1b[32mgreen\x1b[0m\n\n", ["green"]),
        ("größer\n".encode(), ["größer"]),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_lines_are_what_a_terminal_shows_in_the_end(written: bytes, seen: list[str], size: int) -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for start in range(0, len(written), size):
                pipe.write(written[start : start + size])
                time.sleep(0.002)

    threading.Thread(target=write).start()
    with os.fdopen(reading, "rb") as pipe:
        assert isinstance(pipe, io.BufferedReader)
        assert list(lines(pipe)) == seen


def test_a_commands_output_comes_line_by_line_with_its_exit_code(tmp_path: Path) -> None:
    said: list[str] = []
    with Processes() as processes:
        program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
        code = processes.run([sys.executable, "-c", program], tmp_path, os.environ, said.append)
    assert (code, said) == (3, ["out", "err"])


STUBBORN_ORPHAN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    os._exit(0)  # the child's parent is gone: it can no longer be found from here
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""


def test_stop_finds_and_kills_a_stubborn_process_whose_parent_is_gone(tmp_path: Path) -> None:
    processes = Processes(grace=1)
    caught: list[type[BaseException]] = []

    def run() -> None:
        try:
            command = [sys.executable, "-c", STUBBORN_ORPHAN, str(tmp_path / "pid")]
            processes.run(command, tmp_path, os.environ, print)
        except Stopped:
            caught.append(Stopped)

    thread = threading.Thread(target=run)
    thread.start()
    orphan = int(wait_for(tmp_path / "pid"))
    processes.stop()
    thread.join(10)
    assert caught == [Stopped]
    assert all_end([psutil.Process(orphan)] if psutil.pid_exists(orphan) else [])


def test_nothing_starts_after_stop(tmp_path: Path) -> None:
    processes = Processes()
    processes.stop()
    with pytest.raises(Stopped):
        processes.run(["true"], tmp_path, {}, print)
    assert MARK_VARIABLE not in os.environ
