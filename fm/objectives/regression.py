"""Least squares along a path: a path x a coupling x a timestep distribution x a prediction target x a loss weight, flow
matching and diffusion alike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from fm.components import Choice
from fm.noise import Draws, Purpose
from fm.noise_sources import WHITE, NoiseSource
from fm.objectives.coupled import SOURCE, Coupled
from fm.paths import SIGMA_DATA
from fm.targets import Score, Target
from fm.timesteps import Stratified, Timesteps
from fm.weights import Weight

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fm.batches import Batch


class Regression(Coupled, name="regression", says="the squared error of a quantity along the path"):
    """E over t, x0, x1 of weight(t) |network(x_t, t) - target|^2, the mean over all numbers of a datum.

    >>> Regression.named("cond_ot", "independent", "uniform", "velocity", "flat").path
    CondOT()
    """

    timesteps: Timesteps
    target: Target
    weight: Weight
    source: NoiseSource = SOURCE

    @classmethod
    def named(
        cls,
        path: Choice,
        coupling: Choice,
        timesteps: Choice,
        target: Choice,
        weight: Choice,
        source: Choice = WHITE.name,
    ) -> Self:
        """By the names of its parts, for data of EDM's own scale.

        Raises:
            ValueError: a name or an option that cannot be.
        """
        parts = {"path": path, "coupling": coupling, "timesteps": timesteps, "target": target, "weight": weight}
        return cls.of({"name": cls.name, **parts, "source": source}).at_scale(SIGMA_DATA)

    def check(self) -> None:
        if isinstance(self.target, Score) and self.source != WHITE:
            raise ValueError(
                f"target 'score': of noise that is not white it takes the inverse of its covariance, which a network "
                f"does not learn well: with source {self.source.name!r} take velocity, data or noise, and of these "
                "NoiseSource.score"
            )

    def at_scale(self, scale: float) -> Self:
        target = self.target.at_scale(scale)
        return replace(self, target=target, weight=self.weight.at_scale(getattr(target, "sigma_data", scale)))

    def loss(self, network: nn.Module, batch: Batch, averaged: nn.Module) -> Tensor:
        t = self.timesteps(self._uniform(batch.draws).to(batch.data), self.path).clamp(*self.path.interval)
        point = self.path.sample(self.paired(batch).noise(), batch.data, t)
        seen = self.target.inputs(self.path, point.x_t, t)
        error: Tensor = (network(*seen, batch.given) - self.target.answer(self.path, point)).square()
        # A weight can be 0 times infinity at the very ends, which are drawn once in 16 million times.
        weight = self.weight(t.clamp(1e-5, 1 - 1e-5), self.path, self.target.quantity)
        return (weight * error.flatten(1).mean(dim=1)).mean()

    def _uniform(self, draws: Draws) -> Tensor:
        """Numbers in [0, 1), (B,), from which the times are made."""
        if isinstance(self.timesteps, Stratified):
            return draws.stratified(Purpose.TIME)
        return draws.uniform(1, Purpose.TIME)[:, 0]
