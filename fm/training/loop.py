"""Training without Lightning: a plain loop on one device, for trials, notebooks and small models.

fm.training.trainer does the same arithmetic with checkpoints, several devices and lower precision: on a CPU the two end
with the same bits.
"""

from collections.abc import Callable
from math import isfinite

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from fm.batches import Batch, Batches, Budget, Examples
from fm.components import Choice
from fm.config import Config, SamplerConfig
from fm.errors import UserError
from fm.generator import Generator
from fm.objectives import Regression
from fm.training.ema import Average
from fm.training.trainee import Aim, Trainee


def untrained(
    objective: Regression, examples: Examples, network: Choice = "unet", solver: Choice = "midpoint", steps: int = 5
) -> Generator:
    """A generator of such data, with random weights, for `fit` to train on this objective.

    Args:
        network, solver: choices of fm.networks.Network and fm.solvers.Solver.

    Raises:
        ValueError: a choice that cannot be, or does not fit the data.
    """
    codec = examples.codec.of_samples
    config = Config(
        path=objective.path.choice,
        target=objective.target.choice,
        network=network,
        codec=codec.choice,
        conditioner=examples.conditioner.choice,
        source=objective.measured(examples).source.choice,
        sampler=SamplerConfig(solver=solver, steps=steps),
    )
    return Generator.untrained(config, codec=codec)


def fit(
    generator: Trainee,
    objective: Aim,
    examples: Examples,
    budget: Budget,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train `generator`'s network in place, where it is, and average its weights.

    PyTorch's own generators are seeded anew at every step, for networks with dropout.

    Args:
        report: called with the number of every step, counted from 1, and its loss.

    Raises:
        UserError: the loss is not finite.
    """
    loop = Loop(generator.network, objective, budget)
    batches = Batches(examples, budget, pairing=objective.pairing, source=objective.source)
    for step in range(budget.steps):
        loss = float(loop.step(batches[step].to(generator.device)))
        if not isfinite(loss):
            raise UserError(f"the training diverged: its loss is {loss} at step {step + 1} of {budget.steps}")
        report(step + 1, loss)
    loop.average.give_to(generator.network)
    generator.network.eval()


class Loop:
    """A network in training, step by step. Nothing in a step waits for the device.

    >>> import numpy as np
    >>> from fm.batches import Batches
    >>> from fm.codecs import Pixels
    >>> from fm.conditions import Labels
    >>> from fm.data.rows import Arrays
    >>> from fm.objectives import Regression
    >>> rows = Arrays({"data": np.zeros((50, 8, 8, 1), np.uint8), "label": np.arange(50) % 2})
    >>> examples = Examples(rows, Pixels((8, 8, 1)), Labels(("even", "odd")))
    >>> budget = Budget(images_seen=64, batch_size=16, learning_rate=1e-3)
    >>> objective = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    >>> network = untrained(objective, examples, {"name": "unet", "width": 8, "multipliers": [1]}).network
    >>> loop = Loop(network, objective, budget)
    >>> loop.step(Batches(examples, budget)[0]).shape
    torch.Size([])

    Attributes:
        average: of its weights.
    """

    def __init__(self, network: nn.Module, objective: Aim, budget: Budget) -> None:
        self.network = network.train()
        self.objective = objective
        self.budget = budget
        self.average = Average(network, budget.ema_decay)
        self.optimizer, self.schedule = optimizer_of(network, budget)

    def step(self, batch: Batch) -> Tensor:
        """Learn from a batch that is where the network is; its loss, a scalar that stays there."""
        batch.draws.seed_layers()
        loss = self.objective.loss(self.network, batch, self.average.network)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.budget.gradient_clip)
        self.optimizer.step()
        self.schedule.step()
        self.average.update(self.network)
        return loss.detach()


def optimizer_of(network: nn.Module, budget: Budget, fused: bool = False) -> tuple[AdamW, LambdaLR]:
    """AdamW at a rate that warms up and then stays, if wanted in one kernel."""
    # beta2 0.99: a few thousand steps are too few for 0.999's memory. No weight decay, as in DDPM and ADM.
    optimizer = torch.optim.AdamW(
        network.parameters(), budget.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=fused
    )
    return optimizer, LambdaLR(optimizer, lambda done: budget.warm_up(done + 1))
