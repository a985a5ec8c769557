import subprocess
import sys
import time

import pytest

from pipelines.machine import Moment
from pipelines.schemas.machine import Load

SECONDS = 0.5
BURN = f"import time\nend = time.process_time() + {SECONDS}\nwhile time.process_time() < end: pass"


def test_others_are_what_is_busy_and_not_ours() -> None:
    # Of 8 processor seconds in 4 seconds 3 were ours: the others kept 1.25 processors busy.
    found = Moment(10.0, 100.0, 7.0).until(Moment(14.0, 108.0, 10.0))
    assert found.others == pytest.approx(1.25)
    assert found.cpus >= 1


def test_nobody_does_less_than_nothing() -> None:
    assert Moment(0.0, 0.0, 0.0).until(Moment(1.0, 0.98, 0.99)).others == 0


def test_what_this_process_starts_is_its_own_work() -> None:
    began = Moment.now()
    subprocess.run([sys.executable, "-c", BURN], check=True)
    assert Moment.now().own - began.own > 0.9 * SECONDS


def test_work_of_somebody_else_is_seen() -> None:
    began = Moment.now()
    # Its parent ends at once: it is no child of ours any more.
    script = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BURN!r}])"
    subprocess.run([sys.executable, "-c", script], check=True)
    time.sleep(SECONDS)
    for _ in range(60):
        time.sleep(0.1)
        end = Moment.now()
        if (end.busy - began.busy) - (end.own - began.own) > 0.9 * SECONDS:
            break
    assert began.until(end).others * (end.seconds - began.seconds) > 0.9 * SECONDS


@pytest.mark.parametrize(("others", "cpus", "busy"), [(0.1, 2, False), (0.3, 2, True), (0.3, 64, False)])
def test_a_tenth_of_the_machine_makes_it_busy(others: float, cpus: int, busy: bool) -> None:
    assert Load(others=others, cpus=cpus, average=1.0).busy is busy
