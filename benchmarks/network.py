"""How fast the default network trains and samples, beside what this machine's matrix product gives.

    .venv/bin/python -m benchmarks.network [dataset]

Everything is timed in turn within one run, so that the ratios hold on a noisy machine; medians over rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from fm import devices
from fm.batches import Batch
from fm.conditions import Label
from fm.networks import Network
from fm.networks.layers import in_channels_last
from fm.noise import Draws, Purpose
from fm.objectives import Regression
from pipelines import params

ROUNDS = 7


def main(dataset: str) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    content["dataset"]["name"] = dataset
    settings = params.parse(content)
    device = devices.pick(settings.train.accelerator)
    size, batch = settings.dataset.image_size, settings.train.batch_size
    shape = settings.dataset.channels, size, size
    chosen = Network.of(settings.network.choice)
    network = in_channels_last(chosen.build(shape, {"label": Label(10)})).to(device)
    optimizer = torch.optim.AdamW(network.parameters())
    objective = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    x1 = torch.randn(batch, *shape, device=device)
    u, condition = torch.rand(batch, device=device), {"label": torch.randint(0, 10, (batch,), device=device)}
    draws = Draws(0, range(batch)).ahead({}, {Purpose.TIME: 1}).to(device)
    square = torch.randn(2048, 2048, device=device)

    def train() -> None:
        loss = objective.loss(network, Batch(x1, condition, condition, draws, torch.randn_like(x1)), network)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    @torch.no_grad()
    def sample() -> None:
        network(x1, u, condition)

    def limit() -> None:
        square @ square

    jobs = {"training step": train, "network call": sample, "matrix product": limit}
    seconds = timed(jobs, device)
    work = {name: flops(job) for name, job in jobs.items()}
    peak = work["matrix product"] / seconds["matrix product"]
    weights = sum(weight.numel() for weight in network.parameters())
    print(f"{dataset}: {weights:,} parameters, batch {batch}, {device}, {torch.get_num_threads()} threads")
    for name in ("training step", "network call"):
        rate = work[name] / seconds[name]
        per_image = work[name] / batch / 1e9
        print(
            f"{name}: {batch / seconds[name]:.0f} images/s, {per_image:.3f} GFLOP an image, "
            f"{rate / peak:.2f} of the matrix product's {peak / 1e9:.0f} GFLOP/s"
        )


def timed(jobs: dict[str, Callable[[], None]], device: torch.device) -> dict[str, float]:
    """Median seconds of each job, one after the other in every round, the first round not counted."""
    rounds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(ROUNDS + 1):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            if device.type == "cuda":
                torch.cuda.synchronize()
            rounds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[1:]) for name, values in rounds.items()}


def flops(job: Callable[[], None]) -> float:
    counter = FlopCounterMode(display=False)
    with counter:
        job()
    return float(counter.get_total_flops())


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.network", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("dataset", nargs="?", default="fashion-mnist", help="whose images' shape it is (%(default)s)")
    return parser


if __name__ == "__main__":
    main(arguments().parse_args().dataset)
