"""What a training waits for: batches from the data's rows to the device, and the noise that they are mixed with."""

import math
import time
from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.gpu.agreement import attempted
from benchmarks.gpu.made_up import examples
from benchmarks.gpu.rows import Figure, Row
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.timing import alternate, wait
from fm.batches import Batches, Budget
from fm.loading import arrived, loader
from fm.noise import Draws, Purpose


def rows(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    for shape, batch in sizes.produced:
        what = f"{'×'.join(map(str, shape))}, batches of {batch}"
        yield from attempted(f"noise, {what}", partial(noise, f"noise, {what}", shape, batch, device, sizes))
        for workers in sizes.workers:
            said = f"{what}, {workers} workers"
            yield from attempted(said, partial(produced, said, shape, batch, workers, device, sizes))


def noise(what: str, shape: tuple[int, ...], batch: int, device: torch.device, sizes: Sizes) -> Iterator[Row]:
    draws = Draws(0, range(batch)).to(device)
    theirs = partial(torch.randn, batch, *shape, device=device)
    jobs = {"ours": partial(draws.normal, shape, Purpose.NOISE), "torch": theirs}
    seconds = alternate(jobs, device, sizes.seconds)
    numbers = batch * math.prod(shape)
    yield Figure(
        what,
        {
            "images/s": batch / seconds["ours"],
            "ns a number": seconds["ours"] / numbers * 1e9,
            "torch's own, ns": seconds["torch"] / numbers * 1e9,
        },
    )


def produced(
    what: str, shape: tuple[int, ...], batch: int, workers: int, device: torch.device, sizes: Sizes
) -> Iterator[Row]:
    """Images per second that arrive on the device with their noise."""
    budget = Budget(images_seen=batch << 20, batch_size=batch, learning_rate=1e-4)
    batches = Batches(examples(shape, rows=2 * batch), budget)
    count, started, ends = 0, 0.0, math.inf
    for number, fetched in enumerate(loader(batches, 0, device, workers)):
        batches.finish(arrived(fetched).to(device, non_blocking=True)).noise()
        if number == workers:  # each worker has made its first
            wait(device)
            count, started = 0, time.perf_counter()
            ends = started + sizes.seconds
        count += 1
        if time.perf_counter() > ends:
            break
    wait(device)
    yield Figure(what, {"images/s": (count - 1) * batch / (time.perf_counter() - started)})
