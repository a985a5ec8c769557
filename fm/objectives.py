"""Training objectives: from a network and a batch to a loss.

`Regression`, a path x a coupling x a timestep distribution x a prediction target x a loss weight, is flow matching and
diffusion alike. Others, few-step methods for instance, need no more than a path and a `loss`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from fm.components import Choice, Component
from fm.couplings import Assigned, Coupling
from fm.noise import Draws, Purpose
from fm.paths import SIGMA_DATA, Path
from fm.targets import Target
from fm.timesteps import Stratified, Timesteps
from fm.weights import Weight

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fm.batches import Batch


class Objective(Component, ABC, kind="objective"):
    """What a network is trained for.

    Attributes:
        path: between the noise and the data, which samplers walk along.

    >>> Objective.of(Regression.named("ddpm", "independent", "discrete", "noise", "flat").choice).path
    DDPM()
    """

    path: Path

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch, averaged: nn.Module) -> Tensor:
        """The loss of one batch, a scalar.

        Args:
            network: network(x, t, condition, until=None) -> like x, the one that is trained.
            averaged: the same with averaged weights, for objectives that ask a steadier network for their targets.
        """

    def paired(self, batch: Batch) -> Batch:
        """The batch with what depends on all of its data settled, so that it can be cut into parts."""
        return batch

    @property
    def pairing(self) -> Assigned | None:
        """The coupling that whoever prepares batches is to ask, if there is one that takes long."""
        return None

    def at_scale(self, scale: float) -> Self:
        """The same for data of this standard deviation, where it matters and none was chosen."""
        return self


class Regression(Objective, name="regression", says="the squared error of a quantity along the path"):
    """E over t, x0, x1 of weight(t) |network(x_t, t) - target|^2, the mean over all numbers of a datum.

    >>> Regression.named("cond_ot", "independent", "uniform", "velocity", "flat").path
    CondOT()
    """

    coupling: Coupling
    timesteps: Timesteps
    target: Target
    weight: Weight

    @classmethod
    def named(cls, path: Choice, coupling: Choice, timesteps: Choice, target: Choice, weight: Choice) -> Self:
        """By the names of its parts, for data of EDM's own scale.

        Raises:
            ValueError: a name or an option that cannot be.
        """
        parts = {"path": path, "coupling": coupling, "timesteps": timesteps, "target": target, "weight": weight}
        return cls.of({"name": cls.name, **parts}).at_scale(SIGMA_DATA)

    def at_scale(self, scale: float) -> Self:
        target = self.target.at_scale(scale)
        return replace(self, target=target, weight=self.weight.at_scale(getattr(target, "sigma_data", scale)))

    @property
    def pairing(self) -> Assigned | None:
        return self.coupling if isinstance(self.coupling, Assigned) else None

    def paired(self, batch: Batch) -> Batch:
        if batch.source is not None:
            return batch
        source = batch.noise()
        if batch.pairs is None:
            source = self.coupling(source, batch.data, batch.condition.get("label"))
        return batch._replace(source=source, pairs=None)

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
