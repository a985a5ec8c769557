"""A training that is stopped and gone on with ends with the same bytes as one that is not."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.gpu.agreement import attempted, same_bits
from benchmarks.gpu.correctness import NETWORKS, SHAPE
from benchmarks.gpu.made_up import examples, generator_of, network_of
from benchmarks.gpu.rows import Check, Row
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.steps import STEPS, flow_matching, trained
from fm.batches import Budget
from fm.config import SamplerConfig


def rows(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    deterministic()
    for what, options in NETWORKS.items():
        yield from attempted(f"{what}, resumed", partial(by_hand, what, options | {"dropout": 0.1}, device))
    yield from attempted("by Lightning, resumed", partial(by_lightning, "by Lightning", device))
    if sizes.compiled:
        yield from attempted(
            "compiled, resumed", partial(by_lightning, "by Lightning, compiled", device, compiled=True)
        )


def deterministic() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)  # as fm.training asks Lightning for
    torch.backends.cudnn.benchmark = False


def by_hand(what: str, options: dict[str, Any], device: torch.device) -> Iterator[Row]:
    network = network_of(SHAPE, options)
    whole, whole_average = trained(network, SHAPE, device)
    again, _ = trained(network, SHAPE, device)
    yield same_bits(f"{what}, trained twice", whole, again)
    resumed, resumed_average = trained(network, SHAPE, device, stopped_at=STEPS // 2 + 1)
    yield same_bits(f"{what}, resumed", whole, resumed)
    yield same_bits(f"{what}, resumed, averaged", whole_average, resumed_average)


class Stopped(Exception):
    """Stands for kill -9: nothing is saved, nothing tidied up."""


def by_lightning(what: str, device: torch.device, compiled: bool = False) -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        whole, places = by_trainer(Path(folder) / "whole", device, compiled)
        try:
            by_trainer(Path(folder) / "stopped", device, compiled, stopped_at=STEPS - 2)
        except Stopped:
            resumed, _ = by_trainer(Path(folder) / "stopped", device, compiled)
    yield same_bits(f"{what}, resumed", whole, resumed)
    where = ", ".join(sorted(places))
    yield Check(f"{what}, the averaged network is on {where}", float(places != {device.type}), 0)


def by_trainer(
    folder: Path, device: torch.device, compiled: bool = False, stopped_at: int | None = None
) -> tuple[dict[str, torch.Tensor], set[str]]:
    """The weights that a training by Lightning ends with, and where its averaged network has been."""
    from fm.training.callbacks import Point
    from fm.training.trainer import Hardware, Keeping, Watching, train

    places: set[str] = set()

    def report(point: Point, images_per_second: float) -> None:
        if point.step == stopped_at:
            raise Stopped

    generator = generator_of(SHAPE, NETWORKS["UNet"], SamplerConfig(solver="midpoint", steps=2))
    train(
        generator,
        flow_matching(),
        examples(SHAPE),
        Budget(images_seen=STEPS * 16, batch_size=16, learning_rate=1e-3, warmup_steps=4),
        Keeping(folder / "last.ckpt", key="gpu-check", every=4),
        Hardware("cpu" if device.type == "cpu" else "gpu", compiled=compiled),
        Watching("gpu-check", report, lambda step, averaged: places.add(averaged.device.type)),
    )
    return generator.network.state_dict(), places
