"""supervisord, a real one, with small programs."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from infra.services.health import wait_until
from infra.services.supervisor import Supervised, Supervisor

TOLD = "import os, sys, time; print(os.getcwd(), sys.argv[1], flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    home = tmp_path / "a name with spaces" / ".services"
    home.mkdir(parents=True)
    supervisor = Supervisor(home)
    assert not supervisor.is_up()
    supervisor.start(
        [
            Supervised("told", [sys.executable, "-c", TOLD, "50% of me"]),
            Supervised("stubborn", [sys.executable, "-c", STUBBORN], stop_seconds=1),
        ],
        folder=tmp_path,
    )
    yield supervisor
    if supervisor.is_up():
        supervisor.stop()


def test_programs_start_one_by_one_where_they_should_and_log_to_files(supervisor: Supervisor, tmp_path: Path) -> None:
    assert {state.split()[0] for state in supervisor.states().values()} == {"STOPPED"}
    supervisor.start_program("told")
    assert supervisor.states()["told"].startswith("RUNNING")
    assert supervisor.states()["stubborn"].startswith("STOPPED")
    assert wait_until(lambda: supervisor.log("told").read_text() == f"{tmp_path} 50% of me\n", 10)


def test_what_dies_is_started_again_and_what_is_stopped_is_not(supervisor: Supervisor) -> None:
    supervisor.start_program("told")
    first = pid_of(supervisor, "told")
    psutil.Process(first).kill()
    assert wait_until(lambda: pid_of(supervisor, "told") not in (None, first), 20)
    supervisor.stop_program("told")
    assert supervisor.states()["told"].startswith("STOPPED")


def test_stop_leaves_no_process(supervisor: Supervisor) -> None:
    for name in ("told", "stubborn"):
        supervisor.start_program(name)
    assert wait_until(lambda: "up" in supervisor.log("stubborn").read_text(), 10)
    left = [pid for name in ("told", "stubborn") if (pid := pid_of(supervisor, name)) is not None]
    assert len(left) == 2
    supervisor.stop()
    assert not any(psutil.pid_exists(pid) for pid in left)
    assert not supervisor.is_up()


def test_since_when_a_program_runs(supervisor: Supervisor) -> None:
    before = datetime.now(UTC)
    assert supervisor.since("told") is None
    supervisor.start_program("told")
    since = supervisor.since("told")
    assert since is not None
    assert before - timedelta(seconds=2) < since <= datetime.now(UTC) + timedelta(seconds=2)


TELLS_ITS_END = """
import signal, sys, time
from pathlib import Path

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
try:
    print("up", flush=True)
    time.sleep(600)
finally:
    with Path("order").open("a") as order:
        order.write(sys.argv[1])
"""


def test_they_stop_in_the_reverse_of_the_order_they_start_in(tmp_path: Path) -> None:
    supervisor, program, names = Supervisor(tmp_path), tmp_path / "program.py", ("b", "c", "a")
    program.write_text(TELLS_ITS_END)
    supervisor.start([Supervised(name, [sys.executable, str(program), name]) for name in names], folder=tmp_path)
    for name in names:
        supervisor.start_program(name)
    ran = wait_until(lambda: all("up" in supervisor.log(name).read_text() for name in names), 10)
    supervisor.stop()
    assert ran
    assert (tmp_path / "order").read_text() == "acb"


def pid_of(supervisor: Supervisor, name: str) -> int | None:
    words = supervisor.states()[name].replace(",", "").split()
    return int(words[2]) if words[0] == "RUNNING" else None
