"""Objectives for few steps: their training step beside flow matching's, and both ways to differentiate a network."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from benchmarks.gpu.agreement import attempted
from benchmarks.gpu.correctness import TWO_TIMES
from benchmarks.gpu.made_up import batch_of, network_of
from benchmarks.gpu.rows import Figure, Row
from benchmarks.gpu.sizes import Case, Sizes
from benchmarks.gpu.steps import Ours, flow_matching
from benchmarks.gpu.timing import alternate
from benchmarks.gpu.training import ahead, as_trained
from fm.batches import Batch
from fm.objectives import Objective

DERIVED: dict[str, dict[str, Any]] = {
    "MeanFlow, by finite differences": {"name": "mean_flow", "derivative": "difference", **TWO_TIMES},
    "MeanFlow, by forward-mode differentiation": {"name": "mean_flow", "derivative": "forward", **TWO_TIMES},
    "shortcut": {"name": "shortcut", **TWO_TIMES},
}


def rows(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    as_trained()
    for number in sizes.derived:
        case = sizes.cases[number]
        yield from attempted(f"{case.what}, objectives", partial(of_a_case, case, device, sizes))


def of_a_case(case: Case, device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """In the precision that a device is trained in; a finite difference is in float32 whatever that is."""
    batch = batch_of(case.shape, case.batch, device)
    ours = {"flow matching": Ours(network_of(case.shape, case.options).to(device), objective=flow_matching())}
    for what, choice in DERIVED.items():
        network = network_of(case.shape, case.options, until=True).to(device)
        ours[what] = Ours(network, objective=Objective.of(choice))
    jobs = {what: partial(a_step, one, batch) for what, one in ours.items()}
    seconds = alternate(jobs, device, sizes.seconds * len(jobs))
    for what, took in seconds.items():
        values = {
            "batch": case.batch,
            "images/s": case.batch / took,
            "times flow matching's step": took / seconds["flow matching"],
        }
        yield Figure(f"{case.what}, {what}", values)


def a_step(ours: Ours, batch: Batch) -> None:
    ours.step(ahead(batch))
