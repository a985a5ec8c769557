"""How busy the machine was with other work while something was timed: a time alone says nothing of that."""

import time
from dataclasses import dataclass
from typing import Self

import psutil

from pipelines.schemas.machine import Load


@dataclass(frozen=True)
class Moment:
    """Clocks, read at once.

    Attributes:
        seconds: that have passed.
        busy: processor seconds of the whole machine, and of what a hypervisor took from it.
        own: processor seconds of this process and all that it has started.
    """

    seconds: float
    busy: float
    own: float

    @classmethod
    def now(cls) -> Self:
        return cls(time.monotonic(), busy_seconds(), own_seconds())

    def until(self, end: "Moment") -> Load:
        """What others did in the meantime."""
        passed = max(end.seconds - self.seconds, 1e-9)
        others = ((end.busy - self.busy) - (end.own - self.own)) / passed
        # Processor time is counted in hundredths of a second: ours can seem more than the machine's.
        return Load(others=max(others, 0.0), cpus=psutil.cpu_count() or 1, average=psutil.getloadavg()[0])

    def load(self) -> Load:
        """What others have done since."""
        return self.until(Moment.now())


def busy_seconds() -> float:
    times = psutil.cpu_times()
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # which the kernel counts twice
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - guests)


def own_seconds() -> float:
    this = psutil.Process()
    total = 0.0
    for process in (this, *this.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:  # it has just ended, and is among its parent's children's times
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
