"""What a training step of each objective takes, beside plain flow matching's, all in turn."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from benchmarks.few.bench import Bench
from benchmarks.few.trial import begun, products
from benchmarks.gpu.timing import Job, alternate
from fm import devices
from fm.batches import Batches, Examples
from fm.components import parts
from fm.objectives import Objective
from pipelines import methods
from pipelines.methods import Method

DERIVATIVES = ("difference", "forward")


def ratios_of_steps(bench: Bench, rows: Sequence[str], precision: str, seconds: float) -> dict[str, float]:
    """Of one training step of each row to the first row's; its batch is there already."""
    jobs = {row: job(bench, bench.method(row), precision) for row in rows}
    with products(precision):
        took = alternate(jobs, bench.device, seconds * len(rows))
    return {row: took[row] / took[rows[0]] for row in rows}


def lines(bench: Bench, rows: Sequence[str], network: str, precision: str, seconds: float) -> Iterator[dict[str, Any]]:
    """Of every row, and of both ways to differentiate where a row differentiates; the first row is the measure."""
    jobs = {name: job(bench, one, precision) for row in rows for name, one in variants(bench.method(row))}
    with products(precision):
        found = alternate(jobs, bench.device, seconds * len(jobs))
    first = next(iter(found.values()))
    for name, took in found.items():
        yield {
            "network": network,
            "objective": name,
            "seconds": took,
            "ratio": took / first,
            "batch": bench.settings.train.batch_size,
            "precision": precision,
            "device": devices.name(bench.device),
            "threads": torch.get_num_threads(),
        }


def variants(method: Method) -> Iterator[tuple[str, Method]]:
    name, options = parts(method.objective.choice)
    if not hasattr(method.objective, "derivative"):
        yield method.name, method
        return
    for derivative in DERIVATIVES:
        objective = Objective.of({"name": name, **options, "derivative": derivative})
        yield f"{method.name}, {derivative}", replace(method, objective=objective)


def job(bench: Bench, method: Method, precision: str) -> Job:
    budget = replace(methods.budget(bench.settings), images_seen=1 << 40)
    loop = begun(bench, method, budget, precision)
    batches = Batches(
        Examples.of(bench.dataset), budget, pairing=method.objective.pairing, source=method.objective.source
    )
    batch = batches.finish(batches.fetch(0).to(bench.device))
    return lambda: loop.step(batch)
