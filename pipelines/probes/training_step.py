"""What a training step costs, every method in turn: its time, and the most memory that tensors hold in it."""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch.profiler import ProfilerActivity, profile

from fm.batches import Batches, Budget, Examples
from fm.generator import Generator
from fm.objectives import Objective
from fm.training.loop import Loop

STEPS = 2  # of a round
PEAKS = 2


@dataclass(frozen=True)
class Costs:
    """Of one method: seconds of a step in each round, peak bytes in each repetition."""

    seconds: list[float]
    peak_bytes: list[int]


def costs(
    generators: Mapping[str, Generator],
    objectives: Mapping[str, Objective],
    budget: Budget,
    examples: Examples,
    rounds: int,
) -> dict[str, Costs]:
    """Forward, backward, clipping, optimiser and averaging on the same batches; float32, one process."""
    ready = {
        method: partial(prepared, generator, objectives[method], budget, examples)
        for method, generator in generators.items()
    }
    for prepare in ready.values():
        prepare()()  # what is made once and kept is no method's
    peaks: dict[str, list[int]] = {method: [] for method in ready}
    for _ in range(PEAKS):
        for method, prepare in ready.items():
            peaks[method].append(peak_bytes(prepare, device_of(generators[method])))
    steps = {method: prepare() for method, prepare in ready.items()}
    taken: dict[str, list[float]] = {method: [] for method in ready}
    for number in range(rounds + 1):
        for method, step in steps.items():
            elapsed = seconds(step, device_of(generators[method]))
            if number > 0:  # the first steps are slow
                taken[method].append(elapsed / STEPS)
    return {method: Costs(taken[method], peaks[method]) for method in ready}


def prepared(generator: Generator, objective: Objective, budget: Budget, examples: Examples) -> Callable[[], None]:
    """STEPS training steps of a copy of the generator's network, ready to be taken, as training takes them."""
    loop = Loop(copy.deepcopy(generator.network), objective, budget)
    stream = Batches(examples, budget, source=objective.source)
    batches = [stream[number % len(stream)].to(device_of(generator)) for number in range(STEPS)]

    def take() -> None:
        for batch in batches:
            loop.step(batch)

    return take


def seconds(job: Callable[[], None], device: torch.device) -> float:
    started = time.perf_counter()
    job()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def peak_bytes(prepare: Callable[[], Callable[[], None]], device: torch.device) -> int:
    """The most bytes that tensors hold at once, from making network and optimiser to the end of the steps.

    On a GPU and on a CPU alike it counts what PyTorch's allocator hands out, the same at every repetition; a
    process's resident set would also hold the interpreter and the libraries, which differ by chance.
    """
    if device.type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        prepare()()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        prepare()()
    held = most = 0
    for event in profiled.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def device_of(generator: Generator) -> torch.device:
    return next(generator.network.parameters()).device
