"""One training of a study: a row under one seed, measured at several budgets on the way.

The learning rate stays as it is after the warm-up, and data, noise and order are functions of seed and position. So the
averaged network after N images is the one that a training of N images ends with, and one training stands for several.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.few.bench import Bench
from benchmarks.few.copies import copies
from benchmarks.gpu.timing import wait
from fm import evaluation, images
from fm.arithmetic import float32_products
from fm.batches import Batches, Budget, Examples, Fetched
from fm.config import SamplerConfig
from fm.generator import Generator, NotFinite
from fm.metrics.intervals import mean_interval
from fm.objectives import Objective
from fm.pictures import pictures
from fm.solvers import Solver
from fm.training.loop import Loop, optimizer_of
from pipelines import methods
from pipelines.methods import Method
from pipelines.params.row import Method as Row
from pipelines.sample_sets import conditions, plan_of

PRECISIONS = ("float32", "tf32", "bf16")
SHEET_ROWS, SHEET_EVALUATIONS = 4, (1, 2, 4)
COMPARED = 500
"""Images that are looked for among the training images."""


class Mark(NamedTuple):
    """A budget at which a training is measured.

    Attributes:
        budget: images that the row compared with has seen.
        equal: what is equal then: `images`, or the `time` of training.
        steps: after which it is.
    """

    budget: int
    equal: str
    steps: int


@dataclass(frozen=True)
class Trial:
    """Attributes:
    evaluations: numbers of calls of the network that each of the row's samplers is tried with.
    jobs: trainings that share the device, beside which a time means little.
    """

    row: str
    seed: int
    marks: tuple[Mark, ...]
    evaluations: tuple[int, ...]
    precision: str = "float32"
    jobs: int = 1


def lines(bench: Bench, trial: Trial, sheets: Path | None = None) -> Iterator[dict[str, Any]]:
    """What is found, sampler by sampler; for people also sheets of images in a folder."""
    method = bench.method(trial.row)
    for steps, seconds, generator in trained(bench, method, trial):
        marks = [mark for mark in trial.marks if mark.steps == steps]
        seen = steps * bench.settings.train.batch_size
        for sampler in samplers(bench.settings.methods[trial.row], trial.evaluations):
            found = measured(bench, generator.with_sampler(sampler))
            for mark in marks:
                yield {
                    **bench.about(),
                    "row": trial.row,
                    "seed": trial.seed,
                    "budget": mark.budget,
                    "equal": mark.equal,
                    "images": seen,
                    "seconds": seconds,
                    "images_per_second": seen / seconds,
                    "precision_of_training": trial.precision,
                    "jobs": trial.jobs,
                    "sampler": sampler.label,
                    "steps": sampler.steps,
                    **found,
                }
        if sheets is not None and trial.seed == 0:
            images.save_png(sheet(bench, generator, trial.row), sheets / f"{trial.row}-{seen}.png")


def trained(bench: Bench, method: Method, trial: Trial) -> Iterator[tuple[int, float, Generator]]:
    """After each of the marks: steps, seconds of training, and a generator of the averaged weights."""
    ends = sorted({mark.steps for mark in trial.marks})
    size = bench.settings.train.batch_size
    budget = replace(methods.budget(bench.settings), images_seen=ends[-1] * size, seed=trial.seed)
    loop = begun(bench, method, budget, trial.precision)
    batches = Batches(
        Examples.of(bench.dataset), budget, pairing=method.objective.pairing, source=method.objective.source
    )
    done, seconds, loss = 0, 0.0, torch.zeros(())
    for end in ends:
        with products(trial.precision):
            began = time.perf_counter()
            for step in range(done, end):
                loss = loop.step(batches.finish(sent(batches.fetch(step), bench.device)))
            wait(bench.device)
            seconds += time.perf_counter() - began
        if not isfinite(float(loss)):
            raise NotFinite(f"the loss is {float(loss)} at step {end}")
        done = end
        yield end, seconds, Generator(method.config, loop.average.network)


def sent(fetched: Fetched, device: torch.device) -> Fetched:
    """To the device, which goes on meanwhile."""
    return fetched.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else fetched


def begun(bench: Bench, method: Method, budget: Budget, precision: str) -> Loop:
    """A training before its first step."""
    torch.manual_seed(budget.seed)
    network = method.untrained().to(bench.device).network
    loop = Loop(network, In(precision, method.objective), budget)  # type: ignore[arg-type]
    if bench.device.type == "cuda":
        loop.optimizer, loop.schedule = optimizer_of(network, budget, fused=True)
    return loop


@dataclass(frozen=True)
class In:
    """An objective whose network is called in a precision."""

    precision: str
    objective: Objective

    def loss(self, network: torch.nn.Module, batch: Any, averaged: torch.nn.Module) -> Tensor:
        lowered = torch.autocast(batch.data.device.type, torch.bfloat16, enabled=self.precision == "bf16")
        with lowered:
            return self.objective.loss(network, batch, averaged)


def products(precision: str) -> AbstractContextManager[None]:
    return (
        float32_products("ieee" if precision == "float32" else "tf32") if torch.cuda.is_available() else nullcontext()
    )


def samplers(row: Row, evaluations: Sequence[int]) -> list[SamplerConfig]:
    """Every sampler of a row, with the steps that make so many calls of the network."""
    found: dict[tuple[str, int], SamplerConfig] = {}
    for sampler in row.samplers:
        solver = Solver.of(sampler.solver)
        calls = 1 if sampler.guidance == 1 else 2
        for wanted in evaluations:
            for steps in range(1, wanted + 1):
                if calls * (solver.evaluations(steps) or 0) == wanted:
                    found[sampler.label, steps] = SamplerConfig(**{**sampler.model_dump(), "steps": steps})
    return list(found.values())


def measured(bench: Bench, generator: Generator) -> dict[str, Any]:
    """As stage `evaluate` does, and beside the images that were trained on."""
    chosen = bench.settings.evaluate
    plan = plan_of(chosen, len(bench.dataset.test))
    try:
        sets = evaluation.draw(generator, bench.extractor, plan, conditions(generator, bench.dataset))
        made = generator.sample(COMPARED, chosen.seed, batch_size=COMPARED)
    except NotFinite as error:
        return {"evaluations": None, "failed": str(error)}
    found = evaluation.measure(sets, bench.real)
    pixels = generator.codec.encode(made).flatten(1).to(bench.device)
    near = copies(pixels, bench.pixels["train"], bench.pixels["test"])
    return {
        "evaluations": found.nfe,
        "distances": found.distances,
        "distance": found.distance.mean,
        "low": found.distance.low,
        "high": found.distance.high,
        "infinity": mean_interval(found.at_infinity).mean,
        "precision": found.precision,
        "recall": found.recall,
        "recognised": float(np.mean(found.recognised)) if found.recognised else None,
        **near._asdict(),
        "seconds_per_image": found.seconds,
    }


def sheet(bench: Bench, generator: Generator, row: str) -> images.Images:
    """Images of the same noise at 1, 2 and 4 evaluations, each in a few rows."""
    parts = []
    columns = max(len(generator.conditioner.choices), 8)
    for wanted in SHEET_EVALUATIONS:
        for sampler in samplers(bench.settings.methods[row], [wanted])[:1]:
            made = generator.with_sampler(sampler).sample(SHEET_ROWS * columns, seed=0)
            parts.append(images.grid(pictures(made, generator.codec), columns))
    return np.concatenate(parts) if parts else np.zeros((1, 1, 1), np.uint8)
