"""Objectives that choose which noise goes with which data."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING

from fm.couplings import Assigned, Coupling
from fm.objectives.objective import Objective

if TYPE_CHECKING:
    from fm.batches import Batch


class Coupled(Objective, ABC):
    """An objective whose noise goes to the data by a coupling.

    >>> from fm.objectives import Regression
    >>> Regression.named("cond_ot", "independent", "uniform", "velocity", "flat").coupling
    Independent()
    """

    coupling: Coupling

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
