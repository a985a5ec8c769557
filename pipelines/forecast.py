"""What a training's budget comes to, said before it is spent: steps, epochs, time, and what is odd about them; and what
pairs to train on come to."""

import copy
import time
from collections.abc import Sequence
from math import prod

import torch

from fm.batches import Batches, Budget, Examples
from fm.generator import Generator
from fm.networks import Network, TransformerOptions, UNetOptions
from fm.networks.grids import sides_of
from fm.objectives import Objective
from fm.solvers import Solver
from pipelines import words
from pipelines.params import Pairs

MANY_EPOCHS = 100
FEW_STEPS = 300
TIMED = 2


def sentences(budget: Budget, num_images: int, seconds_of_a_step: float | None, on_pairs: bool = False) -> list[str]:
    """One line for the budget, and one for each warning.

    Args:
        num_images: in the training split, or the number of pairs.
        on_pairs: whether these are what it is trained on.
        seconds_of_a_step: none where it is not known.
    """
    seen = budget.steps * budget.batch_size
    epochs = seen / num_images
    takes = "" if seconds_of_a_step is None else f", about {words.roughly(budget.steps * seconds_of_a_step)}"
    told = [
        f"{seen:,} images seen in {budget.steps:,} steps of {budget.batch_size}: "
        f"{epochs:.3g} epochs of {num_images:,} {'pairs' if on_pairs else 'training images'}{takes}"
    ]
    if epochs > MANY_EPOCHS and on_pairs:
        told.append(f"warning: every pair is seen {epochs:.0f} times: more pairs.count or fewer train.images_seen")
    elif epochs > MANY_EPOCHS:
        told.append(
            f"warning: every training image is seen {epochs:.0f} times: the more often, the likelier are copies of "
            "them; the report shows the nearest; more images or fewer train.images_seen"
        )
    if budget.steps < FEW_STEPS:
        told.append(
            f"warning: {budget.steps} steps are few, and their images mostly noise; more train.images_seen, or a "
            "smaller train.batch_size"
        )
    return told


def narrow(network: Network, shape: Sequence[int], predicts_data: bool) -> list[str]:
    """A warning where the noise that is predicted does not pass the network, and stays in what is made.

    Args:
        shape: (C, *spatial) of a datum.
        predicts_data: which hold no noise.
    """
    if predicts_data or not isinstance(network, UNetOptions | TransformerOptions) or network.skip:
        return []
    channels, *spatial = shape
    numbers = channels * prod(sides_of(network.patch_size, len(spatial)))
    if 2 * numbers <= network.width:  # half for the noise, half for what it is told from
        return []
    return [
        f"warning: a patch has {numbers} numbers and the network {network.width} channels, so that noise "
        "does not pass whole and stays in what is made: network.skip: true, a larger network.width, a smaller "
        "network.patch_size"
    ]


def of_pairs(pairs: Pairs, shape: Sequence[int]) -> str:
    """How many, how large they are on disk, and what they cost.

    Args:
        shape: (C, *spatial) of a datum.
    """
    kept = f"{pairs.count:,} pairs of {words.size(4 * prod(shape) * pairs.count)} in all"
    calls = Solver.of(pairs.solver).evaluations(pairs.steps)
    if calls is None:
        return f"{kept}, by a solver that chooses its own steps"
    most = pairs.count * calls * (1 if pairs.scale == 1 else 2)
    return f"{kept}, by {'at most ' if pairs.guidance_interval != (0, 1) else ''}{most:,} evaluations of the network"


def seconds_of_a_step(
    generator: Generator, objective: Objective, budget: Budget, examples: Examples, device: torch.device
) -> float:
    """Measured with a copy of the network, so that the training is what it would be without; the optimiser's part,
    which is small, left out."""
    network = copy.deepcopy(generator.network).to(device)
    batches = Batches(examples, budget, source=objective.source)

    def step() -> float:
        started = time.perf_counter()
        torch.autograd.backward(objective.loss(network, batches[0].to(device), network))
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    step()  # the first is slow
    return min(step() for _ in range(TIMED))
