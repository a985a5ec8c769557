"""How fast the default network trains and samples, beside the bare loop and what this machine's matrix product gives.

    .venv/bin/python -m benchmarks.network [dataset]

Everything is timed in turn within one run, so that the ratios hold on a noisy machine; medians over rounds. The table
says which layers fall behind the matrix product, and how much of the step each of them is.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.bars import Bar
from benchmarks.gpu.made_up import batch_of
from benchmarks.gpu.report import table
from benchmarks.gpu.steps import Bare, Ours
from benchmarks.gpu.timing import alternate
from benchmarks.gpu.training import ahead, operations
from fm import devices
from fm.conditions import Label
from fm.networks import Network
from fm.networks.layers import in_channels_last
from pipelines import params

SECONDS = 20.0
SIDE = 2048
"""Of the matrices whose product is the limit."""


@dataclass(frozen=True)
class Measured:
    """
    Attributes:
        images: images/s of the training step, of the bare loop's, and of a call of the network.
        work: floating-point operations of an image in each of them.
        peak: operations per second of the matrix product.
    """

    what: str
    images: dict[str, float]
    work: dict[str, float]
    peak: float

    def of_the_limit(self, job: str) -> float:
        return self.images[job] * self.work[job] / self.peak


def main(dataset: str, seconds: float = SECONDS) -> None:
    network, batch, device = of_dataset(dataset)
    found = measured(network, batch, device, seconds)
    print(f"{dataset}: {found.what}")
    for job in ("training step", "network call"):
        print(
            f"{job}: {found.images[job]:.0f} images/s, {found.work[job] / 1e9:.3f} GFLOP an image, "
            f"{found.of_the_limit(job):.2f} of the matrix product's {found.peak / 1e9:.0f} GFLOP/s"
        )
    print(f"of the bare loop: {found.images['training step'] / found.images['bare loop']:.2f}")
    print(by_layer(network, batch, device, found, seconds))
    print(by_operation(network, batch))


def bars(seconds: float = SECONDS) -> Iterator[Bar]:
    network, batch, device = of_dataset("fashion-mnist")
    found = measured(network, batch, device, seconds)
    step, bare = (found.images[job] for job in ("training step", "bare loop"))
    yield Bar("training step, of the bare loop", step / bare, 0.97)
    yield Bar("training step, of the matrix product", found.of_the_limit("training step"), 0.70)


def of_dataset(dataset: str) -> tuple[nn.Module, Any, torch.device]:
    """The dataset's default network, and a batch of its default size."""
    content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    content["dataset"]["name"] = dataset
    settings = params.parse(content)
    device = devices.pick(settings.train.accelerator)
    shape = settings.dataset.channels, settings.dataset.image_size, settings.dataset.image_size
    network = Network.of(settings.network.choice).build(shape, {"label": Label(10)})
    return in_channels_last(network).to(device), batch_of(shape, settings.train.batch_size, device), device


def measured(network: nn.Module, batch: Any, device: torch.device, seconds: float) -> Measured:
    ours, bare = Ours(network), Bare(network, batch.data, batch.given["label"])
    square = torch.randn(SIDE, SIDE, device=device)
    times = torch.rand(len(batch.data), device=device)

    @torch.no_grad()
    def call() -> None:
        network(batch.data, times, batch.given)

    jobs = {
        "training step": lambda: ours.step(ahead(batch)),
        "bare loop": bare.step,
        "network call": call,
        "matrix product": lambda: torch.mm(square, square),
    }
    work = {name: operations(job) / len(batch.data) for name, job in jobs.items()}
    times_taken = alternate(jobs, device, seconds)
    weights = sum(weight.numel() for weight in network.parameters())
    return Measured(
        f"{weights:,} parameters, batch {len(batch.data)}, {device}, {torch.get_num_threads()} threads",
        {name: len(batch.data) / taken for name, taken in times_taken.items()},
        work,
        2 * SIDE**3 / times_taken["matrix product"],
    )


# By layer.


@dataclass(frozen=True)
class Layer:
    """A convolution or a linear layer, and what it is given."""

    module: nn.Module
    shape: torch.Size
    says: str


def by_layer(network: nn.Module, batch: Any, device: torch.device, found: Measured, seconds: float) -> str:
    """Each layer by itself, forward and back, in units of the matrix product's rate."""
    seen = layers(network, batch)
    counts = Counter(layer.says for layer in seen)
    different = {layer.says: layer for layer in seen}
    step = len(batch.data) / found.images["training step"]
    lines = []
    for says, layer in different.items():
        x = torch.randn(layer.shape, device=device).to(memory_format=format_of(layer)).requires_grad_()
        jobs = {"both": partial(backward, layer.module, x), "forward": partial(forward, layer.module, x)}
        work = {name: operations(job) for name, job in jobs.items()}
        taken = alternate(jobs, device, seconds / 4 / len(different))
        back = (work["both"] - work["forward"]) / max(taken["both"] - taken["forward"], 1e-9)
        rates = work["forward"] / taken["forward"] / found.peak, back / found.peak
        share = counts[says] * taken["both"] / step
        lines.append((share, (says, str(counts[says]), *(f"{rate:.2f}" for rate in rates), f"{share:.0%}")))
    headings = ("layer", "times", "forward", "back", "of the step")
    return table(headings, [cells for _, cells in sorted(lines, reverse=True)])


def by_operation(network: nn.Module, batch: Any, most: int = 12) -> str:
    """What takes most of a step, by PyTorch's profiler: each operation's own share of the processor's time."""
    ours = Ours(network)
    ours.step(ahead(batch))
    with profile(activities=[ProfilerActivity.CPU]) as found:
        ours.step(ahead(batch))
    seen = sorted(found.key_averages(), key=lambda one: -one.self_cpu_time_total)
    whole = sum(one.self_cpu_time_total for one in seen)
    lines = [(one.key, str(one.count), f"{one.self_cpu_time_total / whole:.0%}") for one in seen[:most]]
    return table(("operation", "times", "of the step"), lines)


def layers(network: nn.Module, batch: Any) -> list[Layer]:
    found: list[Layer] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        found.append(Layer(module, inputs[0].shape, f"{said(module)} on {'×'.join(map(str, inputs[0].shape[1:]))}"))

    hooks = [one.register_forward_hook(note) for one in network.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        network(batch.data, torch.rand(len(batch.data)).to(batch.data), batch.given)
    for hook in hooks:
        hook.remove()
    return found


def said(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        return f"convolution of side {module.kernel_size[0]} to {module.out_channels}"
    assert isinstance(module, nn.Linear)
    return f"linear to {module.out_features}"


def format_of(layer: Layer) -> torch.memory_format:
    return torch.channels_last if len(layer.shape) == 4 else torch.contiguous_format


def forward(module: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        out: Tensor = module(x)
        return out


def backward(module: nn.Module, x: Tensor) -> None:
    out = module(x)
    out.backward(torch.ones_like(out))
    for one in (x, *module.parameters()):
        one.grad = None


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.network", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("dataset", nargs="?", default="fashion-mnist", help="whose images' shape it is (%(default)s)")
    return parser


if __name__ == "__main__":
    main(arguments().parse_args().dataset)
