"""Sampling: pictures per second, against as many bare calls of the network."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import nn

from benchmarks.gpu.agreement import attempted
from benchmarks.gpu.made_up import generator_of
from benchmarks.gpu.rows import Figure, Row
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.timing import alternate, burst
from benchmarks.gpu.training import NOT_HERE, as_trained
from fm.config import SamplerConfig
from fm.generator import Generator


def rows(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    as_trained()
    case = sizes.cases[0]
    generator = generator_of(case.shape, case.options, SamplerConfig(solver="euler", steps=sizes.steps)).to(device)
    for batch in sizes.batches:
        what = f"{case.what}, {sizes.steps} calls, batches of {batch}"
        yield from attempted(what, partial(of_a_batch, what, generator, batch, device, sizes))


def compiled(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """With CUDA graphs, which spare a small batch the time that it takes to ask for its work."""
    as_trained()
    if not sizes.compiled:
        yield NOT_HERE
        return
    case = sizes.cases[0]
    for batch in sizes.batches:
        what = f"{case.what}, {sizes.steps} calls, batches of {batch}, compiled"
        yield from attempted(what, partial(of_a_compiled_batch, what, batch, device, sizes))


def of_a_batch(what: str, generator: Generator, batch: int, device: torch.device, sizes: Sizes) -> Iterator[Row]:
    x = torch.randn(batch, *generator.shape, device=device)
    condition = generator.condition(generator.conditioner.in_turn(batch))

    @torch.no_grad()
    def bare() -> None:
        for step in range(sizes.steps):
            generator.network(x, x.new_full((batch,), step / sizes.steps), condition)

    ours = partial(generator.sample_float, batch, 0, batch_size=batch)
    seconds = alternate({"bare": bare, "ours": ours}, device, sizes.seconds)
    yield Figure(
        what, {"images/s": batch / seconds["ours"], "of the bare network calls": seconds["bare"] / seconds["ours"]}
    )


def of_a_compiled_batch(what: str, batch: int, device: torch.device, sizes: Sizes) -> Iterator[Row]:
    case = sizes.cases[0]
    sampler = SamplerConfig(solver="euler", steps=sizes.steps)
    plain, faster = (generator_of(case.shape, case.options, sampler).to(device) for _ in range(2))
    faster.network = Called(faster.network)
    both = {"plain": plain, "compiled": faster}
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


class Called(nn.Module):
    """A network that is called compiled; its answers are copied: a CUDA graph writes over them at the next call."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.compiled = torch.compile(network, mode="reduce-overhead", fullgraph=True)

    def forward(self, *inputs: object) -> torch.Tensor:
        out: torch.Tensor = self.compiled(*inputs)
        return out.clone()
