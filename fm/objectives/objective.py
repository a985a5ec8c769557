"""What every training objective is: from a network and a batch to a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from fm.components import Component
from fm.noise_sources import WHITE, NoiseSource
from fm.paths import Path

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fm.batches import Batch, Examples
    from fm.couplings import Assigned


class Objective(Component, ABC, kind="objective"):
    """What a network is trained for.

    Attributes:
        path: between the noise and the data, which samplers walk along.
        until: whether the network is told where a step ends, besides where it begins (few-step methods).

    >>> from fm.objectives import Regression
    >>> Objective.of(Regression.named("ddpm", "independent", "discrete", "noise", "flat").choice).path
    DDPM()
    """

    path: Path
    until: ClassVar[bool] = False

    @property
    def source(self) -> NoiseSource:
        """The noise that is mixed with the data, and that samplers start from; white where that is no option."""
        return WHITE

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

    @property
    def guided(self) -> bool:
        """Whether guidance is learnt, by asking the network under no condition too: it has to be trained so as well."""
        return False

    @property
    def differences(self) -> bool:
        """Whether it takes differences of what the network says at nearly the same time, which weights of 16 bits would
        drown."""
        return False

    def measured(self, examples: Examples) -> Self:
        """The same with what it takes of the data."""
        return self

    def at_scale(self, scale: float) -> Self:
        """The same for data of this standard deviation, where it matters and none was chosen."""
        return self
