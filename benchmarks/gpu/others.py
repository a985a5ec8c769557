"""How much of a machine others took while something was timed: a time alone says nothing of that.

By Linux's own count: psutil need not be where a device is checked. Elsewhere nothing is known of it.
"""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

BUSY = 0.1
"""Part of the processors that others may take."""
COUNTED = Path("/proc/stat")


@dataclass(frozen=True)
class Clocks:
    """
    Attributes:
        seconds: that have passed.
        busy: processor seconds of the whole machine, and of what a hypervisor took from it.
        own: processor seconds of this process and of those it has waited for.
    """

    seconds: float
    busy: float
    own: float

    @classmethod
    def now(cls) -> Self:
        return cls(time.monotonic(), busy_seconds(), own_seconds())


def taken(began: Clocks, ended: Clocks) -> str:
    """How many processors others kept busy in between, in words; nothing where they were few."""
    others = ((ended.busy - began.busy) - (ended.own - began.own)) / (ended.seconds - began.seconds)
    processors = os.cpu_count() or 1
    return f"others kept {others:.1f} of {processors} processors busy meanwhile" if others > BUSY * processors else ""


def busy_seconds() -> float:
    """Guests' time, which comes last, is in that of users already."""
    if not COUNTED.exists():
        return 0.0
    ticks = COUNTED.read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _iowait, interrupts, soft_interrupts, stolen = (int(one) for one in ticks)
    return (user + nice + system + interrupts + soft_interrupts + stolen) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
