"""The stream of training batches: what step number n sees, a function of (seed, n) and nothing else."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from fm import noise
from fm.codecs import Codec
from fm.conditions import Condition, Conditioner, withheld
from fm.data.prepared import Prepared
from fm.data.rows import Order, Ordered, Rows
from fm.noise import Draws, Purpose
from fm.paths import like


@dataclass(frozen=True)
class Budget:
    """How long and how fast to train.

    Attributes:
        label_dropout: how often a condition is withheld.
        horizontal_flips: how often a datum is seen in a mirror, its last axis the other way round.

    >>> Budget(images_seen=6400, batch_size=64, learning_rate=1e-3).steps
    100
    """

    images_seen: int
    batch_size: int
    learning_rate: float
    warmup_steps: int = 0
    ema_decay: float = 0.999
    label_dropout: float = 0.1
    gradient_clip: float = 1.0
    seed: int = 0
    horizontal_flips: float = 0.0

    @property
    def steps(self) -> int:
        """Whole batches that fit in the budget of images."""
        return self.images_seen // self.batch_size

    def warm_up(self, step: int) -> float:
        """The share of the learning rate that a step is made with, counted from 1: growing, then 1."""
        return min(1.0, step / max(self.warmup_steps, 1))


@dataclass(frozen=True)
class Examples:
    """What a network learns from: rows as stored, and how they and what lies beside them are read.

    >>> from fm.codecs import Pixels
    >>> from fm.conditions import Labels
    >>> from fm.data.rows import Arrays
    >>> rows = Arrays({"data": np.zeros((50, 8, 8, 1), np.uint8), "label": np.arange(50) % 2})
    >>> examples = Examples(rows, Pixels((8, 8, 1)), Labels(("even", "odd")))
    >>> examples.codec.shape
    (1, 8, 8)
    """

    rows: Rows
    codec: Codec
    conditioner: Conditioner

    @classmethod
    def of(cls, dataset: Prepared) -> Self:
        """The training split of a prepared dataset."""
        return cls(dataset.train, dataset.codec, dataset.conditioner)


class Batch(NamedTuple):
    """What one training step sees.

    Attributes:
        data: float (B, C, *spatial).
        condition: what each datum is under, each value (B, ...).
        given: the same, withheld from some of them: what the network is told.
        draws: the random numbers of these data.
        source: noise like `data`, where the pairs are given; it is drawn otherwise.

    >>> from fm.codecs import Pixels
    >>> from fm.conditions import Labels
    >>> from fm.data.rows import Arrays
    >>> rows = Arrays({"data": np.zeros((50, 8, 8, 1), np.uint8), "label": np.arange(50) % 2})
    >>> examples = Examples(rows, Pixels((8, 8, 1)), Labels(("even", "odd")))
    >>> batch = Batches(examples, Budget(images_seen=64, batch_size=16, learning_rate=1e-3))[0]
    >>> batch.data.shape, batch.noise().shape, batch.given["label"].shape
    (torch.Size([16, 1, 8, 8]), torch.Size([16, 1, 8, 8]), torch.Size([16]))
    """

    data: Tensor
    condition: Condition
    given: Condition
    draws: Draws
    source: Tensor | None = None

    def noise(self) -> Tensor:
        """What the data are mixed with, like them."""
        source = self.draws.normal(self.data.shape[1:], Purpose.NOISE) if self.source is None else self.source
        return source.to(self.data)

    def to(self, device: torch.device | str, **how: Any) -> Self:
        """On another device, by Tensor.to's own options."""
        condition, given = (
            {name: value.to(device, **how) for name, value in one.items()} for one in (self.condition, self.given)
        )
        source = None if self.source is None else self.source.to(device, **how)
        return type(self)(self.data.to(device, **how), condition, given, self.draws.to(device, **how), source)

    def part(self, rows: slice) -> Self:
        """Some of the data with all that belongs to them, as they are in the whole batch."""
        condition, given = ({name: value[rows] for name, value in one.items()} for one in (self.condition, self.given))
        source = None if self.source is None else self.source[rows]
        return type(self)(self.data[rows], condition, given, self.draws.part(rows), source)

    def in_parts(self, count: int) -> list[Self]:
        """One after the other, as equal as can be; fewer where there are not so many data."""
        ends = [len(self.data) * number // count for number in range(count + 1)]
        return [self.part(slice(*rows)) for rows in pairwise(ends) if rows[0] < rows[1]]


class Batches(Dataset[Batch]):
    """Batch number `step` of a training, a function of (seed, step) and nothing else.

    Datum number p of the training is row p mod N of epoch p // N, whose order is drawn anew; its noise, time and
    dropout come from the streams at position p. Every process of several takes each world_size-th row of the same
    global batch.

    >>> from fm.codecs import Pixels
    >>> from fm.conditions import Labels
    >>> from fm.data.rows import Arrays
    >>> rows = Arrays({"data": np.zeros((50, 8, 8, 1), np.uint8), "label": np.arange(50) % 2})
    >>> examples = Examples(rows, Pixels((8, 8, 1)), Labels(("even", "odd")))
    >>> batches = Batches(examples, Budget(images_seen=64, batch_size=16, learning_rate=1e-3))
    >>> len(batches), torch.equal(batches[3].data, batches[3].data)
    (4, True)
    """

    def __init__(self, examples: Examples, budget: Budget, rank: int = 0, world_size: int = 1) -> None:
        if budget.horizontal_flips and len(examples.codec.shape) < 2:
            raise ValueError(f"data of shape {examples.codec.shape} have no axis to flip")
        self.examples = examples
        self.budget = budget
        self.rank = rank
        self.world_size = world_size
        self._order: tuple[int, Order] | None = None

    def __len__(self) -> int:
        return self.budget.steps

    def __getitem__(self, step: int) -> Batch:
        draws = self._draws(step)
        rows = self.examples.rows[self._rows(np.asarray(draws.positions, dtype=np.int64))]
        data = self._flipped(self.examples.codec.encode(rows["data"], draws), draws)
        condition = self.examples.conditioner.stored(rows)
        drop = draws.uniform(1, Purpose.DROPOUT)[:, 0] < self.budget.label_dropout
        given = withheld(condition, self.examples.conditioner.null(condition), drop)
        if get_worker_info() is not None:  # this process has the time, and the one that trains has not
            draws = draws.ahead({Purpose.NOISE: data.shape[1:]}, {Purpose.TIME: 1})
        return Batch(data, condition, given, draws)

    def _draws(self, step: int) -> Draws:
        size = self.budget.batch_size
        first = step * size
        return Draws(self.budget.seed, range(first + self.rank, first + size, self.world_size), first, size)

    def _flipped(self, data: Tensor, draws: Draws) -> Tensor:
        if not self.budget.horizontal_flips:
            return data
        flip = draws.uniform(1, Purpose.FLIP)[:, 0] < self.budget.horizontal_flips
        return torch.where(like(flip, data), data.flip(-1), data)

    def _rows(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Of data by their positions, which grow; a batch may lie in several epochs."""
        epochs, places = np.divmod(positions, len(self.examples.rows))
        return np.concatenate([self._ordered(int(epoch))[places[epochs == epoch]] for epoch in np.unique(epochs)])

    def _ordered(self, epoch: int) -> Order:
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, order_of(self.examples.rows, self.budget.seed, epoch)
        return self._order[1]


def order_of(rows: Rows, seed: int, epoch: int) -> Order:
    """The order of an epoch: a permutation, unless the rows have an order of their own."""
    if isinstance(rows, Ordered):
        return rows.order(seed, epoch)
    return noise.stream(seed, epoch, Purpose.ORDER).permutation(len(rows))
