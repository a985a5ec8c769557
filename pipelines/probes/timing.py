"""How long sampling takes, every method in turn: a machine's speed changes from minute to minute."""

import time
from collections.abc import Mapping, Sequence

from fm.config import SamplerConfig
from fm.generator import Generator
from pipelines.schemas.evaluation import EvaluationRow
from pipelines.schemas.probes import Latency, SamplerTiming

ROUNDS = 6
ALONE = 30


def timings(
    generators: Mapping[str, Generator], samplers: Mapping[str, Sequence[SamplerConfig]], batch_size: int, seed: int
) -> dict[str, list[SamplerTiming]]:
    """Seconds per image of every sampler, in batches. One round goes through all samplers of all methods."""
    each = [(method, sampler) for method, given in samplers.items() for sampler in given]
    for generator in generators.values():
        seconds(generator, SamplerConfig(solver="ddim", steps=1), batch_size, seed)  # the first call is slow
    rounds = [[seconds(generators[m], sampler, batch_size, seed) for m, sampler in each] for _ in range(ROUNDS)]
    found: dict[str, list[SamplerTiming]] = {method: [] for method in samplers}
    for (method, sampler), taken in zip(each, zip(*rounds, strict=True), strict=True):
        per_image = [total / batch_size for total in taken]
        found[method].append(SamplerTiming(solver=sampler.label, steps=sampler.steps, seconds=per_image))
    return found


def one_at_a_time(generators: Mapping[str, Generator], sampler: SamplerConfig, seed: int) -> dict[str, list[float]]:
    """Seconds for each of ALONE images, every one drawn alone, the methods in turn image by image."""
    for generator in generators.values():
        seconds(generator, sampler, 1, seed)
    rounds = [{m: seconds(generator, sampler, 1, seed) for m, generator in generators.items()} for _ in range(ALONE)]
    return {method: [one[method] for one in rounds] for method in generators}


def latencies(
    generators: Mapping[str, Generator], rows: Mapping[str, Sequence[EvaluationRow]], compiled: bool, seed: int
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
    rounds = [[seconds(called[m, how], row.sampler, 1, seed) for m, how, row in each] for _ in range(ALONE)]
    found: dict[str, list[Latency]] = {method: [] for method in generators}
    for (method, how, row), taken in zip(each, zip(*rounds, strict=True), strict=True):
        one = Latency(solver=row.solver, steps=row.steps, nfe=row.nfe, compiled=how, seconds=list(taken))
        found[method].append(one)
    return found


def seconds(generator: Generator, sampler: SamplerConfig, count: int, seed: int) -> float:
    """For `count` images in one batch, until they have left the device."""
    started = time.perf_counter()
    generator.with_sampler(sampler).sample_float(count, seed, batch_size=count)
    return time.perf_counter() - started
