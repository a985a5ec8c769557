"""How long sampling takes, every method in turn: a machine's speed changes from minute to minute."""

import time
from collections.abc import Mapping, Sequence

from fm.config import SamplerConfig
from fm.generator import Generator
from pipelines.schemas.evaluation import EvaluationRow
from pipelines.schemas.probes import Latency, SamplerTiming

BATCHES = 5
"""Images are timed alone so often as a batch of them once: a batch's time varies less."""


def timings(
    generators: Mapping[str, Generator],
    samplers: Mapping[str, Sequence[SamplerConfig]],
    batch_size: int,
    seed: int,
    rounds: int,
) -> dict[str, list[SamplerTiming]]:
    """Seconds per image of every sampler, in a batch for every BATCHES rounds, at least two. One goes through all
    samplers of all methods."""
    each = [(method, sampler) for method, given in samplers.items() for sampler in given]
    for generator in generators.values():
        seconds(generator, SamplerConfig(solver="ddim", steps=1), batch_size, seed)  # the first call is slow
    batches = max(rounds // BATCHES, 2)
    taken = [[seconds(generators[m], sampler, batch_size, seed) for m, sampler in each] for _ in range(batches)]
    found: dict[str, list[SamplerTiming]] = {method: [] for method in samplers}
    for (method, sampler), totals in zip(each, zip(*taken, strict=True), strict=True):
        per_image = [total / batch_size for total in totals]
        found[method].append(SamplerTiming(solver=sampler.label, steps=sampler.steps, seconds=per_image))
    return found


def one_at_a_time(
    generators: Mapping[str, Generator], sampler: SamplerConfig, seed: int, rounds: int
) -> dict[str, list[float]]:
    """Seconds for an image in each round, drawn alone, the methods in turn image by image."""
    for generator in generators.values():
        seconds(generator, sampler, 1, seed)
    taken = [{m: seconds(generator, sampler, 1, seed) for m, generator in generators.items()} for _ in range(rounds)]
    return {method: [one[method] for one in taken] for method in generators}


def latencies(
    generators: Mapping[str, Generator],
    rows: Mapping[str, Sequence[EvaluationRow]],
    compiled: bool,
    seed: int,
    rounds: int,
) -> dict[str, list[Latency]]:
    """One image alone by each sampler of each method, in turn image by image.

    Args:
        compiled: time the networks as torch.compile makes them too, which takes minutes first.
    """
    called = {(m, False): generator for m, generator in generators.items()}
    if compiled:
        called |= {(m, True): generator.evaluated(compiled=True) for m, generator in generators.items()}
    each = [(m, how, row) for m, how in called for row in rows[m]]
    for m, how, row in each:
        seconds(called[m, how], row.sampler, 1, seed)  # the first call is slow
    taken = [[seconds(called[m, how], row.sampler, 1, seed) for m, how, row in each] for _ in range(rounds)]
    found: dict[str, list[Latency]] = {method: [] for method in generators}
    for (method, how, row), of_one in zip(each, zip(*taken, strict=True), strict=True):
        one = Latency(solver=row.solver, steps=row.steps, nfe=row.nfe, compiled=how, seconds=list(of_one))
        found[method].append(one)
    return found


def seconds(generator: Generator, sampler: SamplerConfig, count: int, seed: int) -> float:
    """For `count` images in one batch, until they have left the device."""
    started = time.perf_counter()
    generator.with_sampler(sampler).sample_float(count, seed, batch_size=count)
    return time.perf_counter() - started
