"""The stream of training batches: what step number n sees, a function of (seed, n) and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from fm import noise
from fm.codecs import Codec
from fm.conditions import Condition, Conditioner, Map, withheld
from fm.couplings import Assigned
from fm.data.embedded import Embedded
from fm.data.prepared import Prepared
from fm.data.rows import Fields, Order, Ordered, Rows
from fm.images import tensor_of
from fm.noise import Draws, Purpose
from fm.noise_sources import WHITE, Datum, NoiseSource
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

    Attributes:
        captions: of each row as tokens, where the conditioner is of texts; one of them is seen at every visit.

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
    captions: Embedded | None = None

    @classmethod
    def of(cls, dataset: Prepared) -> Self:
        """The training split of a prepared dataset."""
        return cls(dataset.train, dataset.codec, dataset.conditioner)


GIVEN_NOISE = "x0"
"""The field of rows that are pairs: the noise that each datum was made from. The data are as modelled then."""


class Batch(NamedTuple):
    """What one training step sees.

    Attributes:
        data: float (B, C, *spatial).
        condition: what each datum is under, each value (B, ...).
        given: the same, withheld from some of them: what the network is told.
        draws: the random numbers of these data.
        source: what the data are mixed with, like `data`, where the pairs are given: noise, or another datum (Datum);
            noise is drawn otherwise.
        pairs: which row of the noise that is drawn goes to each datum, int64 (B,), where a coupling has been asked
            already.
        null: "no condition" for all of them, for objectives that hold one against the other.
        shaped: makes the noise of standard normal noise, where its source is not white (fm.noise_sources). No source,
            since Lightning, which looks for tensors in a batch, takes no frozen dataclass.

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
    pairs: Tensor | None = None
    null: Condition | None = None
    shaped: Callable[[Tensor], Tensor] | None = None

    def noise(self) -> Tensor:
        """What the data are mixed with, like them."""
        if self.source is not None:
            return self.source.to(self.data)
        drawn = self.draws.normal(self.data.shape[1:], Purpose.NOISE)
        drawn = drawn if self.shaped is None else self.shaped(drawn)
        return (drawn if self.pairs is None else drawn[self.pairs]).to(self.data)

    def to(self, device: torch.device | str, **how: Any) -> Self:
        """On another device, by Tensor.to's own options."""
        condition, given = moved(self.condition, device, **how), moved(self.given, device, **how)
        source, pairs = (None if one is None else one.to(device, **how) for one in (self.source, self.pairs))
        null = None if self.null is None else moved(self.null, device, **how)
        data, draws = self.data.to(device, **how), self.draws.to(device, **how)
        return type(self)(data, condition, given, draws, source, pairs, null, self.shaped)

    def part(self, rows: slice) -> Self:
        """Some of the data with all that belongs to them, as they are in the whole batch."""
        source = self.source if self.pairs is None else self.noise()
        return self._replace(
            data=self.data[rows],
            condition=rows_of(self.condition, rows),
            given=rows_of(self.given, rows),
            draws=self.draws.part(rows),
            source=None if source is None else source[rows],
            pairs=None,
            null=None if self.null is None else rows_of(self.null, rows),
        )

    def in_parts(self, count: int) -> list[Self]:
        """One after the other, as equal as can be; fewer where there are not so many data."""
        ends = [len(self.data) * number // count for number in range(count + 1)]
        return [self.part(slice(*rows)) for rows in pairwise(ends) if rows[0] < rows[1]]


class Fetched:
    """What a batch is made of, before what a GPU does better: it goes there as small as it is stored.

    No named tuple: whoever finds the tensors in one changes their precision before they are encoded.

    Attributes:
        data: (B, *stored) as stored, where the codec encodes on any device; encoded, float (B, C, *spatial), otherwise,
            and where a source is given.
        condition, draws, pairs, source: the batch's.

    >>> Fetched(torch.zeros(2, 8, 8, 3, dtype=torch.uint8), {}, Draws(0, range(2))).to("meta").data.device
    device(type='meta')
    """

    def __init__(
        self,
        data: Tensor,
        condition: Condition,
        draws: Draws,
        pairs: Tensor | None = None,
        source: Tensor | None = None,
    ) -> None:
        self.data = data
        self.condition = condition
        self.draws = draws
        self.pairs = pairs
        self.source = source

    def to(self, device: torch.device | str, **how: Any) -> Self:
        """On another device, by Tensor.to's own options."""
        pairs, source = (None if one is None else one.to(device, **how) for one in (self.pairs, self.source))
        condition, draws = moved(self.condition, device, **how), self.draws.to(device, **how)
        return type(self)(self.data.to(device, **how), condition, draws, pairs, source)

    def pin_memory(self) -> Self:
        """The same where a GPU can fetch it while both go on."""
        pairs, source = (None if one is None else one.pin_memory() for one in (self.pairs, self.source))
        condition = {name: value.pin_memory() for name, value in self.condition.items()}
        return type(self)(self.data.pin_memory(), condition, self.draws.pin_memory(), pairs, source)


def moved(condition: Condition, device: torch.device | str, **how: Any) -> Condition:
    return {name: value.to(device, **how) for name, value in condition.items()}


def rows_of(condition: Condition, rows: slice) -> Condition:
    return {name: value[rows] for name, value in condition.items()}


class Batches(Dataset[Batch]):
    """Batch number `step` of a training, a function of (seed, step) and nothing else.

    Datum number p of the training is row p mod N of epoch p // N, whose order is drawn anew; its noise, time and
    dropout are the random numbers of position p. Every process of several takes each world_size-th row of the same
    global batch, and couples its own rows.

    A batch is made in two parts, so that each can be where it is soonest done: `fetch` reads, `finish` computes.

    Args:
        pairing: a coupling to ask while fetching, where it takes long.
        source: of the noise; or another datum, a field beside each as it is stored.

    >>> from fm.codecs import Pixels
    >>> from fm.conditions import Labels
    >>> from fm.data.rows import Arrays
    >>> rows = Arrays({"data": np.zeros((50, 8, 8, 1), np.uint8), "label": np.arange(50) % 2})
    >>> examples = Examples(rows, Pixels((8, 8, 1)), Labels(("even", "odd")))
    >>> batches = Batches(examples, Budget(images_seen=64, batch_size=16, learning_rate=1e-3))
    >>> len(batches), torch.equal(batches[3].data, batches.finish(batches.fetch(3)).data)
    (4, True)
    """

    def __init__(
        self,
        examples: Examples,
        budget: Budget,
        rank: int = 0,
        world_size: int = 1,
        pairing: Assigned | None = None,
        source: NoiseSource = WHITE,
    ) -> None:
        if budget.horizontal_flips and len(examples.codec.shape) < 2:
            raise ValueError(f"data of shape {examples.codec.shape} have no axis to flip")
        self.examples = examples
        self.budget = budget
        self.rank = rank
        self.world_size = world_size
        self.pairing = pairing
        self.datum = source if isinstance(source, Datum) else None
        self.shaped = None if source == WHITE or self.datum is not None else source.shaped
        self._order: tuple[int, Order] | None = None

    def __len__(self) -> int:
        return self.budget.steps

    def __getitem__(self, step: int) -> Batch:
        return self.finish(self.fetch(step))

    def fetch(self, step: int) -> Fetched:
        """What has to be read, and what is soonest found out on the CPU."""
        draws = self._draws(step)
        codec = self.examples.codec
        numbers = self._rows(np.asarray(draws.positions, dtype=np.int64))
        rows = self.examples.rows[numbers]
        if self.examples.captions is not None:
            rows |= self.examples.captions.seen(numbers, draws)
        if self.datum is not None:
            return self._from_another(self.datum, rows, draws)
        source = tensor_of(rows[GIVEN_NOISE]) if GIVEN_NOISE in rows else None
        as_it_lies = codec.on_device or source is not None
        data = tensor_of(rows["data"]) if as_it_lies else codec.encode(rows["data"], draws)
        fetched = Fetched(data, self.examples.conditioner.stored(rows), draws, source=source)
        if self.pairing is not None and source is None:
            batch = self.finish(fetched)
            fetched.pairs = self.pairing.rows(batch.noise(), batch.data, batch.condition.get("label"))
        return fetched

    def _from_another(self, source: Datum, rows: Fields, draws: Draws) -> Fetched:
        """Data, and beside each what it comes from."""
        if source.field not in rows:
            there = ", ".join(name for name in rows if name != "data") or "nothing"
            raise ValueError(f"source 'datum': the data have no {source.field} beside them, but {there}")
        codec = self.examples.codec
        data, begin = (codec.encode(rows[name], draws) for name in ("data", source.field))
        begin = source.begun(begin, draws.normal(codec.shape, Purpose.NOISE).to(begin))
        return Fetched(data, self.examples.conditioner.stored(rows), draws, source=begin)

    def finish(self, fetched: Fetched) -> Batch:
        """The batch, on the device where that is which was fetched."""
        draws, codec, conditioner = fetched.draws, self.examples.codec, self.examples.conditioner
        encoded = not codec.on_device or fetched.source is not None
        data = self._flipped(fetched.data if encoded else codec.encode(cast(Any, fetched.data), draws), draws)
        source = None if fetched.source is None else self._flipped(fetched.source, draws)
        maps = {name: self._flipped(value, draws) for name, value in fetched.condition.items() if self._is_map(name)}
        condition = {**fetched.condition, **maps, **conditioner.of_data(data, draws)}
        drop = draws.uniform(1, Purpose.DROPOUT)[:, 0] < self.budget.label_dropout
        null = conditioner.null(condition)
        given = withheld(condition, null, drop)
        return Batch(data, condition, given, draws, source, fetched.pairs, null, self.shaped)

    def _draws(self, step: int) -> Draws:
        size = self.budget.batch_size
        first = step * size
        draws = Draws(self.budget.seed, range(first + self.rank, first + size, self.world_size), first, size)
        return draws.ahead(Purpose.NOISE, Purpose.TIME, Purpose.DROPOUT, Purpose.FLIP)

    def _is_map(self, name: str) -> bool:
        return isinstance(self.examples.conditioner.fields.get(name), Map)

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
