"""Shortcut models: one step of a network is to end where two of half its length do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from fm.components import option
from fm.lazy import torch
from fm.noise import Purpose
from fm.noise_sources import NoiseSource
from fm.objectives.coupled import SOURCE, Coupled
from fm.objectives.parting import part_of, rows_of
from fm.paths import like
from fm.timesteps import Timesteps

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fm.batches import Batch
    from fm.conditions import Condition


class Shortcut(
    Coupled,
    name="shortcut",
    title="Shortcut",
    says="the velocity at a time, and over a step the mean of what the network says of its two halves",
    source="Frans et al. 2024, arXiv 2410.12557",
    formula=r"$s(x, t, 2d) = \frac{1}{2} (s(x, t, d) + s(x', t + d, d))$, $x' = x + d\, s(x, t, d)$",
):
    """Steps are of lengths 1, 1/2, 1/4, … and start at multiples of them. The halves are asked of the averaged network;
    those of the shortest steps are no steps any more, but velocities (Frans et al. 2024, algorithm 1).

    >>> Shortcut.of({"name": "shortcut", "path": "cond_ot", "coupling": "independent", "timesteps": "uniform"}).steps
    128
    """

    until: ClassVar[bool] = True

    timesteps: Timesteps
    spanning: float = option(0.25, above=0, most=1, says="share of the data that steps are learnt from")
    steps: int = option(
        128,
        choices=(2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
        says="halves of the shortest step in the whole",
    )
    source: NoiseSource = SOURCE

    def loss(self, network: nn.Module, batch: Batch, averaged: nn.Module) -> Tensor:
        batch = self.paired(batch)
        rows = rows_of(batch, self.spanning)
        t, until = self.times(batch, rows)
        point = self.path.sample(batch.noise(), batch.data, t)
        with torch.no_grad():
            steps = self.by_halves(averaged, point.x_t[rows], t[rows], until[rows], part_of(batch.given, rows))
            target = point.velocity.index_copy(0, rows, steps.to(point.velocity))
        error: Tensor = (network(point.x_t, t, batch.given, until=until) - target).square()
        return error.flatten(1).mean(dim=1).mean()

    def times(self, batch: Batch, rows: Tensor) -> tuple[Tensor, Tensor]:
        """From when until when, both (B,): the same but for `rows`."""
        u, length = batch.draws.uniform(2, Purpose.TIME).to(batch.data).unbind(1)
        t = self.timesteps(u, self.path).clamp(*self.path.interval)
        count = 2.0 ** torch.floor(length[rows] * math.log2(self.steps))  # steps of that length from 0 to 1
        start = torch.floor(u[rows] * count) / count
        return t.index_copy(0, rows, start), t.index_copy(0, rows, start + 1 / count)

    def by_halves(self, network: nn.Module, x: Tensor, t: Tensor, until: Tensor, given: Condition) -> Tensor:
        """The mean velocity of two steps from t to `until`, like x (B, ...)."""
        half = (until - t) / 2
        told = torch.where(half * self.steps > 1.5, half, 0.0)  # the length that a half is said to have
        first: Tensor = network(x, t, given, until=t + told)
        x, t = x + like(half, x) * first, t + half
        second: Tensor = network(x, t, given, until=t + told)
        return (first + second) / 2
