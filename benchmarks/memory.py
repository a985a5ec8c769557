"""The most memory that training, evaluation and sampling take with the default settings, by the number of images.

    .venv/bin/python -m benchmarks.memory

Each is a process of its own that does nothing else; what is counted is all that it ever held at once (VmHWM),
Python and PyTorch included. Networks are of random weights and samplers of one step: neither changes what is held.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.bars import Bar
from benchmarks.sampling import default_generator
from fm import devices
from fm.batches import Budget, Examples
from fm.config import SamplerConfig
from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from fm.evaluation import Conditions, Plan, Reference, draw, measure
from fm.metrics import kernel_distance, precision_recall
from fm.metrics.extractors import ClassifierExtractor
from fm.metrics.extractors.classifier_network import Classifier

STEPS = 20  # of the training
COUNTS = {"training": 10_000, "evaluation": 10_000, "sampling": 10_000, "distances": 50_000}
CLASSES, FEATURES = 10, 64
ONE_STEP = SamplerConfig(solver="euler", steps=1)


def bars() -> Iterator[Bar]:
    for name, gib in main().items():
        yield Bar(f"2 GiB beside the memory of {name}", 2 / gib, 1)


def main() -> dict[str, float]:
    """Print and return the GiB of each."""
    found = {}
    print("| GiB at most | images | with so many | with a tenth |\n|---|---|---|---|")
    for name, count in COUNTS.items():
        many, few = (peak(name, images) / 2**30 for images in (count, count // 10))
        found[name] = many
        print(f"| {name} | {count:,} | {many:.2f} | {few:.2f} |", flush=True)
    return found


def peak(name: str, count: int) -> int:
    """Bytes that a process held which did nothing else."""
    command = [sys.executable, "-m", "benchmarks.memory", name, str(count)]
    return int(subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.splitlines()[-1])


def training(count: int) -> None:
    """On a data set of so many images, from disk as in the pipeline."""
    from fm.objectives import Regression
    from fm.training.trainer import Hardware, Keeping, Watching, train

    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)
    labels = np.arange(count) % CLASSES
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "data"), Splits(images, labels, images[:100], labels[:100], tuple("0123456789")), "noise")
        examples = Examples.of(Prepared.open(Path(folder, "data")))
        train(
            default_generator("cond_ot", "velocity"),
            Regression.named("cond_ot", "independent", "uniform", "velocity", "flat"),
            examples,
            Budget(images_seen=STEPS * 128, batch_size=128, learning_rate=1e-3),
            Keeping(Path(folder, "last.ckpt"), key="memory", every=STEPS),
            Hardware(accelerator="cpu"),
            Watching("memory", report=lambda point, speed: None, show=lambda step, generator: None),
        )


def evaluation(count: int) -> None:
    """By four sample sets of so many images each."""
    device = torch.device("cpu")
    sizes = {"channels": 1, "image_size": 28, "num_classes": CLASSES}
    extractor = ClassifierExtractor(Classifier(**sizes), sizes, device)
    labels = np.arange(60_000) % CLASSES
    generator, plan = default_generator("cond_ot", "velocity").with_sampler(ONE_STEP), Plan(count)
    sets = draw(generator, extractor, plan, Conditions(labels, labels))
    train, test = (np.random.default_rng(0).normal(size=(n, FEATURES)).astype(np.float32) for n in (60_000, count))
    measure(sets, Reference.of(train, test, plan))


def sampling(count: int) -> None:
    default_generator("cond_ot", "velocity").sample(count, 0, solver="euler", steps=1)


def distances(count: int) -> None:
    """Kernel distance, precision and recall of two sets of so many."""
    a, b = np.random.default_rng(0).normal(size=(2, count, FEATURES)).astype(np.float32)
    kernel_distance(a, b)
    precision_recall(a, b)


JOBS: dict[str, Callable[[int], None]] = {
    "training": training,
    "evaluation": evaluation,
    "sampling": sampling,
    "distances": distances,
}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("job", nargs="?", choices=JOBS, help="do this one here and say what it took; all if left out")
    parser.add_argument("images", nargs="?", type=int, default=10_000, help="how many (%(default)s)")
    return parser


if __name__ == "__main__":
    chosen = arguments().parse_args()
    if chosen.job is None:
        main()
    else:
        JOBS[chosen.job](chosen.images)
        print(devices.peak_memory_bytes())
