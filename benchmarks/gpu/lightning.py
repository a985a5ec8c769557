"""A whole training by Lightning, data and averaging and all: against the bare loop, and with pairs that take a
processor longer than a GPU's step takes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch

from benchmarks.gpu.agreement import attempted
from benchmarks.gpu.made_up import batch_of, examples, generator_of, network_of
from benchmarks.gpu.rows import Figure, Row
from benchmarks.gpu.sizes import Case, Sizes
from benchmarks.gpu.steps import Bare, flow_matching
from benchmarks.gpu.timing import alternate
from benchmarks.gpu.training import as_trained
from fm.batches import Budget
from fm.config import SamplerConfig

if TYPE_CHECKING:
    from fm.training.trainer import Hardware


def rows(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    as_trained()
    case = sizes.cases[0]
    what = f"{case.what}, {sizes.trained} steps by fm.training"
    yield from attempted(what, partial(whole, what, case, device, sizes))
    what = f"{sizes.transported.what}, pairs by optimal transport"
    yield from attempted(what, partial(transported, what, sizes.transported, device, sizes))


def whole(what: str, case: Case, device: torch.device, sizes: Sizes) -> Iterator[Row]:
    ours = images_per_second(case, device, sizes.trained)
    batch = batch_of(case.shape, case.batch, device)
    bare = Bare(network_of(case.shape, case.options).to(device), batch.data, batch.given["label"])
    seconds = alternate({"bare": bare.step}, device, sizes.seconds)["bare"]
    yield Figure(what, {"batch": case.batch, "images/s": ours, "of the bare loop": ours * seconds / case.batch})


def transported(what: str, case: Case, device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """Whether a step waits for its pairs, which workers make where there is a GPU."""
    plain, ours = (
        images_per_second(case, device, sizes.trained, coupling) for coupling in ("independent", "optimal_transport")
    )
    yield Figure(what, {"batch": case.batch, "images/s": ours, "of independent pairs": ours / plain})


def images_per_second(case: Case, device: torch.device, steps: int, coupling: str = "independent") -> float:
    """Of the second half of a training: the first has its start in it."""
    from fm.training.callbacks import Point
    from fm.training.trainer import Keeping, Watching, train

    rates: list[float] = []

    def report(point: Point, images_per_second: float) -> None:
        rates.append(images_per_second)

    with TemporaryDirectory() as folder:
        train(
            generator_of(case.shape, case.options, SamplerConfig(solver="midpoint", steps=2)),
            flow_matching(coupling),
            examples(case.shape),
            Budget(images_seen=steps * case.batch, batch_size=case.batch, learning_rate=1e-4, warmup_steps=10),
            Keeping(Path(folder) / "last.ckpt", key="gpu-check", every=10 * steps),
            on(device),
            Watching("gpu-check", report, lambda step, made: None),
        )
    later = rates[len(rates) // 2 :]
    return sum(later) / len(later)


def on(device: torch.device) -> "Hardware":
    """As the bare loop has it."""
    from fm.training.trainer import Hardware

    if device.type == "cpu":
        return Hardware("cpu")
    return Hardware("gpu", precision="bf16-mixed")
