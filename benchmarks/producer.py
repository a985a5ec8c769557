"""How fast training batches are prepared: rows fetched, noise drawn, noise assigned to data.

    .venv/bin/python -m benchmarks.producer

On a GPU the noise is drawn there and the rows are encoded there, so what counts here is what the loader gives. Medians
over rounds in turn, so that the ratios hold on a noisy machine; one Markdown table.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fm.batches import Batches, Budget, Examples
from fm.codecs import Codec, Pixels, Standardised
from fm.conditions import Labels
from fm.couplings import OptimalTransport
from fm.data.rows import Arrays
from fm.loading import loader
from fm.noise import Draws, Purpose, stream

ROUNDS = 5
SECONDS = 1.5
"""How long each round of each row lasts, at least."""
ROWS_BYTES = 400e6
LABELS = 1000


@dataclass(frozen=True)
class Data:
    """What is stored, and the bar: images a second on two cores, twice what a GPU's step takes."""

    title: str
    codec: Codec
    batch: int
    bar: int


DATA = (
    Data("32 x 32 x 3 images", Pixels((32, 32, 3)), 256, 50_000),
    Data("256 x 256 x 3 images", Pixels((256, 256, 3)), 64, 4_000),
    Data("4 x 32 x 32 latents", Standardised((4, 32, 32)), 256, 40_000),
)
WORKERS = (0, 1, 2)
NUMBERS = (3, 32, 32)
NOISE_BATCH = 256
NANOSECONDS_BAR = 4.0
PAIRS = ((128, 3.0), (512, 50.0))
"""Batches to couple, and torchcfm's milliseconds for them."""


def main() -> None:
    print(f"{os.cpu_count()} cores, torch {torch.__version__}; medians of {ROUNDS} rounds\n")
    print("| what | how | measured | bar |\n| --- | --- | --- | --- |")
    for data in DATA:
        with memory_map(data) as rows:
            for workers, rate in fetching(data, rows).items():
                how = f"{workers} workers, batches of {data.batch}"
                print(f"| {data.title} fetched | {how} | {rate:,.0f} images/s | {data.bar:,} |", flush=True)
    for how, nanoseconds in drawing().items():
        print(f"| normal numbers drawn | {how} | {nanoseconds:.1f} ns | {NANOSECONDS_BAR:g} |", flush=True)
    for how, milliseconds, bar in coupling():
        print(f"| optimal transport | {how} | {milliseconds:.1f} ms | {bar:g} |", flush=True)


@contextmanager
def memory_map(data: Data) -> Iterator[Arrays]:
    """Rows of random bytes on disk, as prepared data are."""
    size = int(np.prod(data.codec.stored)) * np.dtype(data.codec.dtype).itemsize
    count = int(ROWS_BYTES / size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        np.random.default_rng(0).integers(0, 100, count * size, dtype=np.uint8).tofile(path)
        mapped: NDArray[np.generic] = np.memmap(path, data.codec.dtype, "r", shape=(count, *data.codec.stored))
        yield Arrays({"data": mapped, "label": np.arange(count) % LABELS})


def fetching(data: Data, rows: Arrays) -> dict[int, float]:
    """Images per second that the loader gives, by the number of its workers."""
    examples = Examples(rows, data.codec, Labels(tuple(map(str, range(LABELS)))))
    batches = Batches(examples, Budget(images_seen=10**9, batch_size=data.batch, learning_rate=1e-3))
    rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    for _ in range(ROUNDS):
        for workers, found in rates.items():
            found.append(data.batch * batches_per_second(batches, workers))
    return {workers: statistics.median(found) for workers, found in rates.items()}


def batches_per_second(batches: Batches, workers: int) -> float:
    given = iter(loader(batches, 0, torch.device("cpu"), workers))
    for _ in range(2 * workers + 2):  # the workers have begun, and what lay ready is used up
        next(given)
    return per_second(lambda: next(given))


def drawing() -> dict[str, float]:
    """Nanoseconds for a standard normal number."""
    count = NOISE_BATCH * int(np.prod(NUMBERS))
    draws, values = Draws(0, range(NOISE_BATCH)), np.empty(count // NOISE_BATCH, np.float32)

    def by_numpy() -> None:
        for position in range(NOISE_BATCH):
            stream(0, position, Purpose.NOISE).standard_normal(out=values, dtype=np.float32)

    def ours() -> None:
        draws.normal(NUMBERS, Purpose.NOISE)

    rates: dict[str, list[float]] = {}
    threads = torch.get_num_threads()
    for _ in range(ROUNDS):
        for how, job, using in [("Draws, 1 thread", ours, 1), ("Draws, 2 threads", ours, 2), ("NumPy", by_numpy, 1)]:
            torch.set_num_threads(using)
            rates.setdefault(how, []).append(per_second(job))
    torch.set_num_threads(threads)
    return {how: 1e9 / (count * statistics.median(found)) for how, found in rates.items()}


def coupling() -> Iterator[tuple[str, float, float]]:
    """Milliseconds to couple a batch of 32 x 32 x 3 images, by one thread as in a worker."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for size, bar in PAIRS:
        x0, x1 = torch.randn(2, size, *NUMBERS, generator=torch.Generator().manual_seed(0))
        jobs = {"fm": lambda x0=x0, x1=x1: OptimalTransport().rows(x0, x1)}
        try:
            from torchcfm.optimal_transport import OTPlanSampler
        except ImportError:
            pass
        else:
            sampler = OTPlanSampler("exact")
            jobs["torchcfm"] = lambda x0=x0, x1=x1, sampler=sampler: sampler.sample_plan(x0, x1)
        rates: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(ROUNDS):
            for name, job in jobs.items():
                rates[name].append(per_second(job))
        for name, found in rates.items():
            yield f"{name}, batch of {size}", 1e3 / statistics.median(found), bar
    torch.set_num_threads(threads)


def per_second(job: Callable[[], object]) -> float:
    """How often a job is done in a second, over SECONDS."""
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS:
        job()
        done += 1
    return done / elapsed


def arguments() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog="python -m benchmarks.producer", description=(__doc__ or "").split("\n")[0])


if __name__ == "__main__":
    arguments().parse_args()
    main()
