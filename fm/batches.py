"""The stream of training batches: what step number n sees, a function of (seed, n) and nothing else."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from fm import noise
from fm.images import Images, to_float
from fm.noise import Purpose


@dataclass(frozen=True)
class Budget:
    """How long and how fast to train."""

    images_seen: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    ema_decay: float
    label_dropout: float
    gradient_clip: float
    seed: int

    @property
    def steps(self) -> int:
        """Whole batches that fit in the budget of images."""
        return self.images_seen // self.batch_size

    def warm_up(self, step: int) -> float:
        """The share of the learning rate that a step is made with, counted from 1: growing, then 1."""
        return min(1.0, step / max(self.warmup_steps, 1))


class Batch(NamedTuple):
    """x1 (B, C, H, W) in [-1, 1], x0 like it, u (B,) in [0, 1), labels and condition int64 (B,)."""

    x1: Tensor
    x0: Tensor
    u: Tensor
    labels: Tensor
    condition: Tensor


class Batches(Dataset[Batch]):
    """Batch number `step` of a training, a function of (seed, step) and nothing else.

    Image number p of the training is the datum p mod N of epoch p // N, whose order is drawn anew; its noise, time and
    dropout come from the streams at position p. Every process of several takes each world_size-th row of the same
    global batch. Stratified, the u of row i of B is uniform on [i / B, (i + 1) / B).
    """

    def __init__(
        self,
        images: Images,
        labels: npt.NDArray[np.int64],
        no_label: int,
        budget: Budget,
        stratified: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.images = images
        self.labels = labels
        self.no_label = no_label
        self.budget = budget
        self.stratified = stratified
        self.rank = rank
        self.world_size = world_size
        self._order: tuple[int, npt.NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return self.budget.steps

    def __getitem__(self, step: int) -> Batch:
        first = step * self.budget.batch_size
        positions = range(first + self.rank, first + self.budget.batch_size, self.world_size)
        rows = np.array([self._row(position) for position in positions])
        x1 = to_float(self.images[rows])
        labels = torch.from_numpy(self.labels[rows].astype(np.int64))
        x0 = noise.normal(self._streams(positions, Purpose.NOISE), tuple(x1.shape[1:]))
        u = noise.uniform(self._streams(positions, Purpose.TIME), 1).squeeze(1)
        drop = noise.uniform(self._streams(positions, Purpose.DROPOUT), 1).squeeze(1)
        if self.stratified:
            strata = torch.tensor([position - first for position in positions], dtype=torch.float64)
            u = ((strata + u) / self.budget.batch_size).float().clamp(max=1 - 2**-24)
        condition = torch.where(drop < self.budget.label_dropout, self.no_label, labels)
        return Batch(x1, x0, u, labels, condition)

    def _streams(self, positions: range, purpose: Purpose) -> list[noise.Stream]:
        return noise.streams(self.budget.seed, positions, purpose)

    def _row(self, position: int) -> int:
        epoch, offset = divmod(position, len(self.images))
        if self._order is None or self._order[0] != epoch:
            shuffle = noise.stream(self.budget.seed, epoch, Purpose.ORDER)
            self._order = epoch, shuffle.permutation(len(self.images))
        return int(self._order[1][offset])
