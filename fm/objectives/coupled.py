"""Objectives that choose which noise goes with which data."""

from __future__ import annotations

from abc import ABC
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from fm.components import option
from fm.couplings import Assigned, Coupling
from fm.noise_sources import WHITE
from fm.objectives.objective import Objective

if TYPE_CHECKING:
    from fm.batches import Batch, Examples

SOURCE: Any = option(WHITE, says="the noise that is mixed with the data")


class Coupled(Objective, ABC):
    """An objective with an option `source`, whose noise goes to the data by a coupling.

    >>> from fm.objectives import Regression
    >>> Regression.named("cond_ot", "independent", "uniform", "velocity", "flat").coupling
    Independent()
    """

    coupling: Coupling

    def measured(self, examples: Examples) -> Self:
        changed: dict[str, Any] = {"source": self.source.measured(examples)}
        return replace(self, **changed)

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
