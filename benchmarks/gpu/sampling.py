"""Sampling: pictures per second, against as many bare calls of the network in the same precision."""

from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.gpu.agreement import attempted
from benchmarks.gpu.made_up import generator_of
from benchmarks.gpu.rows import Figure, Row
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.timing import alternate, burst
from benchmarks.gpu.training import NOT_HERE
from fm.conditions import Condition
from fm.config import SamplerConfig
from fm.generator import Generator
from fm.precision import evaluating


def rows(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    generator = sampled(device, sizes)
    for precision, batch in sizes.sampled:
        what = f"{sizes.cases[0].what}, {sizes.steps} calls, {precision}, batches of {batch}"
        yield from attempted(what, partial(of_a_batch, what, generator.evaluated(precision), batch, device, sizes))


def compiled(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """With CUDA graphs, which spare a small batch the time that it takes to ask for its work."""
    if not sizes.sampled_compiled:
        yield NOT_HERE
    for batch in sizes.sampled_compiled:
        what = f"{sizes.cases[0].what}, {sizes.steps} calls, bf16, batches of {batch}, compiled"
        yield from attempted(what, partial(of_a_compiled_batch, what, batch, device, sizes))


def sampled(device: torch.device, sizes: Sizes) -> Generator:
    case = sizes.cases[0]
    return generator_of(case.shape, case.options, SamplerConfig(solver="euler", steps=sizes.steps)).to(device)


def of_a_batch(what: str, generator: Generator, batch: int, device: torch.device, sizes: Sizes) -> Iterator[Row]:
    x = torch.randn(batch, *generator.shape, device=device)
    condition = generator.condition(generator.conditioner.in_turn(batch))
    bare = partial(bare_calls, generator, x, condition, sizes.steps)
    ours = partial(generator.sample_float, batch, 0, batch_size=batch)
    seconds = alternate({"bare": bare, "ours": ours}, device, sizes.seconds)
    yield Figure(
        what, {"images/s": batch / seconds["ours"], "of the bare network calls": seconds["bare"] / seconds["ours"]}
    )


@torch.no_grad()
def bare_calls(generator: Generator, x: torch.Tensor, condition: Condition, steps: int) -> None:
    with evaluating(generator.precision, x.device):
        for step in range(steps):
            generator.network(x, x.new_full((len(x),), step / steps), condition)


def of_a_compiled_batch(what: str, batch: int, device: torch.device, sizes: Sizes) -> Iterator[Row]:
    generator = sampled(device, sizes)
    both = {name: generator.evaluated("bf16", compiled=name == "compiled") for name in ("plain", "compiled")}
    jobs = {name: partial(one.sample_float, batch, 0, batch_size=batch) for name, one in both.items()}
    first = burst(jobs["compiled"], 1, device)
    seconds = alternate(jobs, device, sizes.seconds)
    yield Figure(
        what,
        {
            "images/s": batch / seconds["compiled"],
            "times as fast": seconds["plain"] / seconds["compiled"],
            "seconds to compile": first,
        },
    )
