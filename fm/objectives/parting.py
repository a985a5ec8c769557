"""Some of a batch's data, for objectives that learn one thing from these and another from those."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fm.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from fm.batches import Batch
    from fm.conditions import Condition


def rows_of(batch: Batch, share: float) -> Tensor:
    """Which rows make up a share of the batch, int64, evenly spread: the same data in whatever parts it comes.

    Nothing waits for the device: what is in the batch does not matter.
    """
    places = batch.draws.places
    chosen = [row for row, at in enumerate(places) if math.floor((at + 1) * share) > math.floor(at * share)]
    return torch.tensor(chosen, dtype=torch.int64).to(batch.data.device, non_blocking=True)


def part_of(condition: Condition, rows: Tensor) -> dict[str, Tensor]:
    return {name: value[rows] for name, value in condition.items()}
