"""How long work takes on a device: jobs in turn, so that what slows the machine down slows all of them, and medians."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch

Job = Callable[[], object]
BURST = 0.03
"""Seconds that a job is repeated for before the device is waited for: a GPU is given its work ahead of time."""


def alternate(jobs: Mapping[str, Job], device: torch.device, seconds: float, least: int = 3) -> dict[str, float]:
    """Median seconds of one call of each job, in rounds of all of them for about `seconds`, at least `least` rounds."""
    repeats = {name: max(1, round(BURST / once(job, device))) for name, job in jobs.items()}
    rounds: dict[str, list[float]] = {name: [] for name in jobs}
    ends = time.perf_counter() + seconds
    while len(next(iter(rounds.values()))) < least or time.perf_counter() < ends:
        for name, job in jobs.items():
            rounds[name].append(burst(job, repeats[name], device) / repeats[name])
    return {name: statistics.median(values) for name, values in rounds.items()}


def once(job: Job, device: torch.device) -> float:
    """Seconds of one call, after another that only warms up."""
    burst(job, 1, device)
    return burst(job, 1, device)


def burst(job: Job, repeats: int, device: torch.device) -> float:
    wait(device)
    started = time.perf_counter()
    for _ in range(repeats):
        job()
    wait(device)
    return time.perf_counter() - started


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
