"""A training step of fm.training beside a bare loop's on the same network, with its batch in memory.

    .venv/bin/python -m benchmarks.loop [dataset]

fm.training makes every batch from the data's rows and random numbers, keeps a curve and looks for divergence; the bare
loop has one batch and does the arithmetic alone: loss, gradient, clipping, AdamW, averaging. Both in turn, with one
thread, by the processor's time, which other work on the machine disturbs little; medians of the rounds' ratios.
"""

import argparse
import copy
import io
import statistics
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch
import yaml

from fm.batches import Batches, Budget, Examples
from fm.codecs import Codec
from fm.conditions import Labels
from fm.data.rows import Arrays
from fm.generator import Generator
from fm.objectives import Regression
from fm.training.loop import Loop, untrained
from fm.training.trainer import Hardware, Keeping, Watching, train
from pipelines import params

ROUNDS, STEPS = 5, 20
ROWS = 10_000


def main(dataset: str) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    content["dataset"]["name"] = dataset
    settings = params.parse(content)
    size, batch_size = settings.dataset.image_size, settings.train.batch_size
    stored = size, size, settings.dataset.channels
    rng = np.random.default_rng(0)
    rows = Arrays({"data": rng.integers(0, 256, (ROWS, *stored), dtype=np.uint8), "label": np.arange(ROWS) % 10})
    codec = Codec.of({"name": "pixels", "stored": list(stored)})
    examples = Examples(rows, codec, Labels(tuple("0123456789")))
    objective = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    torch.set_num_threads(1)
    generator = untrained(objective, examples, network=settings.network.choice)
    budget = Budget(STEPS * batch_size, batch_size, settings.train.learning_rate)
    ratios, bare, ours = [], [], []
    for number in range(ROUNDS + 1):
        by_loop = bare_seconds(generator, objective, examples, budget)
        by_training = ours_seconds(generator, objective, examples, budget)
        if number > 0:  # the first steps are slow
            bare.append(by_loop)
            ours.append(by_training)
            ratios.append(by_loop / by_training)
    low, middle, high = statistics.quantiles(ratios)
    print(
        f"{dataset}, {settings.network.choice}, batches of {batch_size}, one thread: "
        f"bare {statistics.median(bare) / (STEPS - 1) * 1000:.1f} ms a step, fm.training "
        f"{statistics.median(ours) / (STEPS - 1) * 1000:.1f} ms: {middle:.3f} of the bare loop's rate "
        f"(quartiles {low:.3f} to {high:.3f}, {ROUNDS} rounds of {STEPS} steps)"
    )


def bare_seconds(generator: Generator, objective: Regression, examples: Examples, budget: Budget) -> float:
    loop = Loop(copy.deepcopy(generator.network), objective, budget)
    batch = objective.paired(Batches(examples, budget)[0])
    loop.step(batch)
    started = time.process_time()
    for _ in range(STEPS - 1):
        loop.step(batch)
    return time.process_time() - started


def ours_seconds(generator: Generator, objective: Regression, examples: Examples, budget: Budget) -> float:
    """From the first step's end to the last one's."""
    own = Generator(generator.config, copy.deepcopy(generator.network))
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        keeping = Keeping(Path(folder) / "last.ckpt", key="benchmark", every=10 * STEPS)
        note = Watching("", lambda point, rate: ends.append(time.process_time()), lambda step, generator: None)
        train(own, objective, examples, budget, keeping, Hardware("cpu", precision="32-true"), note)
    return ends[-1] - ends[0]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("dataset", nargs="?", default="fashion-mnist", help="whose images' shape it is (%(default)s)")
    return parser


if __name__ == "__main__":
    main(arguments().parse_args().dataset)
