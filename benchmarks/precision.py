"""What lower precision and compiling gain on this processor: training steps and network calls, in turn with float32's.

    .venv/bin/python -m benchmarks.precision [dataset] [--compiled]

In every round each way does the same work once, one after the other, with one thread, and the processor's time is
taken: other work on the machine disturbs it little. Medians of the rounds' ratios. What compiling takes is told by
itself, since it is paid once, in seconds that pass: others compile.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import yaml
from torch import nn

from fm.batches import Batch, Budget
from fm.conditions import Label
from fm.networks import Network
from fm.networks.layers import in_channels_last
from fm.noise import Draws
from fm.objectives import Regression
from fm.training.loop import Loop
from pipelines import params

ROUNDS = 9
BATCHES = 200, 1


@dataclass(frozen=True)
class Way:
    """Of computing.

    Attributes:
        inside: what a step or a call happens within.
    """

    name: str
    inside: Callable[[], AbstractContextManager[object]] = nullcontext
    compiled: bool = False


@contextmanager
def onednn_in_bf16() -> Iterator[None]:
    """oneDNN rounds float32 to bfloat16 inside its products, as a GPU does with TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    torch.backends.mkldnn.conv.fp32_precision = "bf16"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.mkldnn.conv.fp32_precision = "none"


BF16 = partial(torch.autocast, "cpu", torch.bfloat16, cache_enabled=False)
FLOAT32 = Way("float32")
WAYS = [Way("bf16 by autocast", BF16), Way("bf16 inside oneDNN's products", onednn_in_bf16)]
COMPILED = [Way("float32, compiled", compiled=True), Way("bf16 by autocast, compiled", BF16, compiled=True)]


def main(dataset: str, compiled: bool) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    content["dataset"]["name"] = dataset
    settings = params.parse(content)
    size, batch_size = settings.dataset.image_size, settings.train.batch_size
    shape = settings.dataset.channels, size, size
    torch.set_num_threads(1)
    network = in_channels_last(Network.of(settings.network.choice).build(shape, {"label": Label(10)}))
    print(f"{dataset}, {settings.network.choice}, one thread, medians of {ROUNDS} rounds")
    ways = [FLOAT32, *WAYS, *(COMPILED if compiled else [])]
    tell(f"training step, {batch_size} images", {way: training(network, shape, batch_size, way) for way in ways})
    for count in BATCHES:
        tell(f"network call, {count} images", {way: sampling(network, shape, count, way) for way in ways})


def training(network: nn.Module, shape: tuple[int, ...], count: int, way: Way) -> Callable[[], None]:
    """One step of fm's loop, on the same data each time."""
    objective = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    loop = Loop(ready(network, way), objective, Budget(10**9, count, 1e-3))
    condition = {"label": torch.arange(count) % 10}
    batch = Batch(torch.randn(count, *shape), condition, condition, Draws(0, range(count)), torch.randn(count, *shape))

    def step() -> None:
        with way.inside():
            loop.step(batch)

    return step


def sampling(network: nn.Module, shape: tuple[int, ...], count: int, way: Way) -> Callable[[], None]:
    chosen = ready(network, way).eval()
    x, t, condition = torch.randn(count, *shape), torch.rand(count), {"label": torch.arange(count) % 10}

    @torch.no_grad()
    def call() -> None:
        with way.inside():
            chosen(x, t, condition)

    return call


def ready(network: nn.Module, way: Way) -> nn.Module:
    own = copy.deepcopy(network)
    if way.compiled:
        own.compile()
    return own


def tell(work: str, jobs: dict[Way, Callable[[], None]]) -> None:
    """How many times as fast as float32 each way is."""
    first: dict[Way, float] = {}
    for way, job in jobs.items():
        started = time.perf_counter()
        job()
        first[way] = time.perf_counter() - started
    taken: dict[Way, list[float]] = {way: [] for way in jobs}
    for _ in range(ROUNDS):
        for way, job in jobs.items():
            taken[way].append(seconds(job))
    print(f"{work}: float32 {statistics.median(taken[FLOAT32]) * 1000:.1f} ms")
    for way in jobs:
        ratios = [one / other for one, other in zip(taken[FLOAT32], taken[way], strict=True)]
        low, _, high = statistics.quantiles(ratios)
        extra = f", compiling {first[way]:.0f} s" if way.compiled else ""
        print(f"  {way.name}: {statistics.median(ratios):.2f} (quartiles {low:.2f} to {high:.2f}){extra}")


def seconds(job: Callable[[], None]) -> float:
    started = time.process_time()
    job()
    return time.process_time() - started


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("dataset", nargs="?", default="fashion-mnist", help="whose network it is (%(default)s)")
    parser.add_argument("--compiled", action="store_true", help="compile too, which takes a minute or two")
    return parser


if __name__ == "__main__":
    chosen = arguments().parse_args()
    main(chosen.dataset, chosen.compiled)
