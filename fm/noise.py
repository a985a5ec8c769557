"""Random numbers that are functions of a seed, a position and a purpose, on whatever device they are needed.

Philox is a counter-based generator: a block of four numbers is a function of a counter and a key (Salmon et al. 2011,
Parallel random numbers: as easy as 1, 2, 3, doi 10.1145/2063384.2063405). Here it is asked twice. Under the seed, with
position, purpose and the number of the draw for a counter, it gives a key and a first counter; under these, block
after block, the numbers themselves. So the noise of sample i of seed s is the same bits whatever the batch size, the
number of processes, or how many samples are asked for; and what is drawn for another purpose has numbers of its own:
with one set for all, samples would start from noise seen in training.

The integers are the same bits on every device, and so are uniform numbers. Normal ones are to rounding, as logarithm,
sine and cosine are.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from functools import cache
from itertools import count as counting
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from fm.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Word = TypeVar("Word", "Tensor", int)
"""A number in [0, 2**32), or an int64 tensor of such."""
Words = tuple[Word, Word, Word, Word]
"""If tensors, of shapes that go together."""

WORD = 0xFFFFFFFF
ROUNDS = 10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
KEY_STEPS = 0x9E3779B9, 0xBB67AE85

AT_A_TIME = {"cpu": 2**16}
"""Numbers in a tensor on the way to normal ones: on the CPU so few that they stay in a core's cache."""
MOST_AT_A_TIME = 2**25
FEW = 16
"""Positions whose keys Python's own integers make sooner than a hundred operations of tensors."""


class Purpose(IntEnum):
    """What random numbers are for. A number keeps its meaning: by it a seed means the same images in later versions.

    >>> Draws(0, [5]).uniform(1, Purpose.SAMPLE) == Draws(0, [5]).uniform(1, Purpose.NOISE)
    tensor([[False]])
    """

    SAMPLE = 0  # what an image is made from: its start, then what its sampler adds
    ORDER = 1  # of the data, in the epoch at this position
    NOISE = 2  # what the training image at this position is mixed with
    TIME = 3  # at which it is trained
    DROPOUT = 4  # whether its condition is withheld
    DEQUANTISATION = 5  # of a datum whose likelihood is asked for
    DIVERGENCE = 6  # the probe that estimates it, for a likelihood
    FLIP = 7  # whether the training datum at this position is seen in a mirror
    ENCODING = 8  # of a datum by a codec that draws
    OBJECTIVE = 9  # what else an objective draws at this position
    LAYERS = 10  # what a network's own layers draw while it trains, as dropout does
    PAIR = 11  # what a pair is made from that a network is trained on
    CAPTION = 12  # which of its captions the training datum at this position is seen under
    RANKING = 13  # what a datum is mixed with whose captions are ranked
    OBSERVED = 14  # at which of its points the training datum at this position is given


def stream(seed: int, position: int, purpose: Purpose) -> np.random.Generator:
    """NumPy's random numbers of what is at `position` under `seed`, for what is decided on the CPU: the order of data.

    >>> sorted(stream(0, 5, Purpose.ORDER).permutation(4).tolist())
    [0, 1, 2, 3]
    """
    # The purpose is the counter's highest word: 2**192 blocks of numbers lie between two of them.
    counter = np.array([0, 0, 0, purpose], dtype=np.uint64)
    key = np.array([seed, position], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=key))


class Draws:
    """The random numbers of the data at `positions`: functions of (seed, position, purpose, number) and nothing else.

    Whoever asks, whenever and however often, gets the same numbers for a purpose, if they ask for as many at once.
    Nothing waits for the device.

    >>> Draws(seed=0, positions=[3, 4]).uniform(1, Purpose.TIME)[1] == Draws(0, [4]).uniform(1, Purpose.TIME)[0]
    tensor([True])

    Args:
        seed: in [0, 2**63), as each of the positions.

    Attributes:
        first: the position at which the whole batch begins that these are a part of; by default they are all of it.
        of: how many the whole batch has.
        device: where the numbers are drawn.
    """

    # No dataclass: Lightning, which looks for tensors in a batch, takes no frozen one.
    def __init__(self, seed: int, positions: Sequence[int], first: int | None = None, of: int | None = None) -> None:
        self.seed = seed
        self.positions = positions
        self.first = positions[0] if first is None else first
        self.of = len(positions) if of is None else of
        self.device = torch.device("cpu")
        self._ready: dict[Purpose, int] = {}  # which of the keys below are a purpose's
        self._keys = torch.empty(0, len(positions), 2, dtype=torch.int64)

    def normal(self, shape: Sequence[int], purpose: Purpose, number: int = 0) -> Tensor:
        """Standard normal float32 (B, *shape).

        Args:
            number: below 2**24, of what is drawn time after time for one purpose, as by a stochastic sampler.
        """
        size = math.prod(shape)
        return box_muller(self._key(purpose, number), size).reshape(-1, *shape).to(self.device)

    def uniform(self, count: int, purpose: Purpose, number: int = 0) -> Tensor:
        """Uniform float32 (B, count) in [0, 1), multiples of 2**-24. `number` as in `normal`."""
        return uniform(self._key(purpose, number), count).to(self.device)

    def stratified(self, purpose: Purpose) -> Tensor:
        """Uniform float32 (B,): that of place i of a whole batch of B is uniform on [i / B, (i + 1) / B)."""
        u = (self._at() - self.first + uniform(self._key(purpose), 1)[:, 0].double()) / self.of
        return u.float().clamp(max=1 - 2**-24).to(self.device)

    def successive(self, shape: Sequence[int], purpose: Purpose) -> Callable[[], Tensor]:
        """Standard normal float32 (B, *shape), others at every call: those of number 0, 1, 2 and so on."""
        numbers = counting()
        return lambda: self.normal(shape, purpose, next(numbers))

    def seed_layers(self) -> None:
        """Seed PyTorch's own generators, from which dropout draws: it too is a function of the batch."""
        seed = int(stream(self.seed, self.positions[0], Purpose.LAYERS).integers(2**63))
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)  # torch.manual_seed takes milliseconds to keep it for GPUs too
        else:
            torch.manual_seed(seed)

    @property
    def places(self) -> list[int]:
        """Which of this process's data each is in the whole batch, from 0, counted on the host: so that what a batch is
        parted by does not depend on how many work on it."""
        apart = self.positions.step if isinstance(self.positions, range) else 1
        return [(position - self.first) // apart for position in self.positions]

    def ahead(self, *purposes: Purpose) -> Self:
        """The same, with the keys of these purposes made: so little is soonest done on the CPU, and in one go."""
        keys = keys_of(self.seed, self._at(), torch.tensor([purposes], device=self._where).T)
        return self._with(self.device, {purpose: place for place, purpose in enumerate(purposes)}, keys)

    def part(self, rows: slice) -> Self:
        """Those of some of the data, as they are in the whole batch."""
        other = self._with(self.device, self._ready, self._keys[:, rows])
        other.positions = self.positions[rows]
        return other

    def to(self, device: torch.device | str, **how: Any) -> Self:
        """The same numbers, drawn on another device, by Tensor.to's options."""
        other = self._with(torch.device(device), self._ready, self._keys)
        other._keys = self._keys.to(other._where, **how)
        return other

    def pin_memory(self) -> Self:
        """The same, with what there is of them where a GPU can fetch it while both go on."""
        return self._with(self.device, self._ready, self._keys.pin_memory())

    def _with(self, device: torch.device, ready: dict[Purpose, int], keys: Tensor) -> Self:
        other = copy.copy(self)
        other.device, other._ready, other._keys = device, ready, keys
        return other

    @property
    def _where(self) -> torch.device:
        """Where they are made: Apple's GPUs have no float64."""
        return torch.device("cpu") if self.device.type == "mps" else self.device

    def _key(self, purpose: Purpose, number: int = 0) -> Tensor:
        """int64 (B, 2)."""
        if number == 0 and purpose in self._ready:
            return self._keys[self._ready[purpose]]
        what = number << 8 | purpose
        if len(self.positions) <= FEW and self._where.type == "cpu":
            return few_keys_of(self.seed, self.positions, what)
        return keys_of(self.seed, self._at(), torch.full((1, 1), what, device=self._where))[0]

    def _at(self) -> Tensor:
        """The positions, int64 (B,). A range is made where it is needed, so that nothing waits for a copy."""
        if isinstance(self.positions, range):
            places = torch.arange(len(self.positions), device=self._where)
            return places * self.positions.step + self.positions.start
        return torch.tensor(self.positions, dtype=torch.int64, device=self._where)


def keys_of(seed: int, positions: Tensor, what: Tensor) -> Tensor:
    """What is drawn with, int64 (W, B, 2): the 64 bits of Philox's key, and its counter for the first block.

    Args:
        positions: int64 (B,).
        what: in [0, 2**32), int64 (W, 1).
    """
    counter = positions & WORD, positions >> 32, what, torch.zeros_like(what)
    return torch.stack(key_in(philox(counter, (seed & WORD, seed >> 32))), dim=-1)


def few_keys_of(seed: int, positions: Sequence[int], what: int) -> Tensor:
    """The same of one purpose on the CPU, int64 (B, 2)."""
    key = seed & WORD, seed >> 32
    keys = [key_in(philox((place & WORD, place >> 32, what, 0), key)) for place in positions]
    return torch.tensor(np.array(keys, np.uint64).view(np.int64))


def key_in(words: Words[Word]) -> tuple[Word, Word]:
    """Key and first counter. Not up to the last counters: whatever is drawn, it does not begin again with 0."""
    w0, w1, w2, w3 = words
    return w0 | w1 << 32, w2 | (w3 >> 1) << 32


def philox(counter: Words[Word], key: tuple[Word | int, Word | int], rounds: int = ROUNDS) -> Words[Word]:
    """Philox4x32 of counters under keys, two numbers in [0, 2**32) each, all of which are broadcast.

    >>> zero = torch.tensor(0)
    >>> [f"{int(word):08x}" for word in philox((zero, zero, zero, zero), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        # An int64 product has the bits of the unsigned one. Its right shift copies the sign: away with it, and with
        # what the low words still have above them.
        first, second = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c2 = ((second >> 32) ^ c1 ^ k0) & WORD, ((first >> 32) ^ c3 ^ k1) & WORD
        c1, c3 = second, first
        k0, k1 = (k0 + KEY_STEPS[0]) & WORD, (k1 + KEY_STEPS[1]) & WORD
    return c0, c1 & WORD, c2, c3 & WORD


def uniform(key: Tensor, count: int, first: int = 0) -> Tensor:
    """Uniform float32 (B, count) in [0, 1), number `first`, a multiple of 4, and those after it: the lower 24 bits of
    each word, under keys int64 (B, 2)."""
    if first:
        key = torch.stack([key[:, 0], key[:, 1] + first // 4], dim=1)
    return fast_uniform(key, count) if is_fast(key.device.type) else plain_uniform(key, count)


def plain_uniform(key: Tensor, count: int) -> Tensor:
    """By operations that every version of PyTorch has on every device."""
    at = key[:, 1:] + torch.arange(-(-count // 4), device=key.device)
    zero = torch.zeros_like(at)
    words = philox((at & WORD, at >> 32 & WORD, zero, zero), (key[:, :1] & WORD, key[:, :1] >> 32 & WORD))
    return (torch.stack(words, dim=-1).flatten(1)[:, :count] & 0xFFFFFF) * 2.0**-24


def fast_uniform(key: Tensor, count: int) -> Tensor:
    """By a function of PyTorch's own (2.14, torch.func._random), a twentieth of the operations, which is promised to
    nobody: hence `is_fast`."""
    values = torch.empty(len(key), count, device=key.device)
    return torch._philox_uniform_(values, key.view(torch.uint64)[:, None])


@cache
def is_fast(device: str) -> bool:
    """Whether there is such a function for this type of device and its numbers are those that they should be."""
    if device not in ("cpu", "cuda") or not hasattr(torch, "_philox_uniform_"):
        return False
    key = torch.tensor([[-5, 2**63 - 9], [7, 2**32 - 2]], device=device)
    try:
        return torch.equal(fast_uniform(key, 21), plain_uniform(key, 21))
    except (RuntimeError, TypeError):
        return False


def box_muller(key: Tensor, count: int) -> Tensor:
    """Standard normal float32 (B, count) under keys int64 (B, 2) (Box & Muller 1958, doi 10.1214/aoms/1177706645): the
    first half of so many uniform numbers makes lengths, the second angles."""
    half = -(-count // 8) * 4
    values = torch.empty(len(key), 2, half, device=key.device)
    for rows, places in tiles(len(key), half, AT_A_TIME.get(key.device.type, MOST_AT_A_TIME)):
        width = places.stop - places.start
        length, angle = (uniform(key[rows], width, first + places.start) for first in (0, half))
        length = length.neg_().add_(1).log_().mul_(-2).sqrt_()
        angle *= math.tau
        torch.mul(length, angle.cos(), out=values[rows, 0, places])
        torch.mul(length, angle.sin_(), out=values[rows, 1, places])
    return values.flatten(1)[:, :count]


def tiles(rows: int, places: int, most: int) -> Iterator[tuple[slice, slice]]:
    """Slices of a table (rows, places), each of at most so many entries."""
    high, wide = max(most // max(places, 1), 1), min(places, most)
    for top in range(0, rows, high):
        for left in range(0, places, wide):
            yield slice(top, min(top + high, rows)), slice(left, min(left + wide, places))


def slerp(a: Tensor, b: Tensor, part: float) -> Tensor:
    """Spherical interpolation from a (part 0) to b (part 1), both (B, ...) (Shoemake 1985, White 2016,
    arXiv 1609.04468).

    A straight line between two noises passes through points shorter than any noise is, where no model was trained;
    this keeps to their lengths.
    """
    unit_a, unit_b = (x.flatten(1) / x.flatten(1).norm(dim=1, keepdim=True) for x in (a, b))
    angle = (unit_a * unit_b).sum(dim=1).clamp(-1, 1).acos()
    angle = angle.reshape(-1, *[1] * (a.ndim - 1))
    # Where both point the same way the ratios are 0 / 0, and the straight line is as good.
    aligned = angle.sin().abs() < 1e-6
    safe = torch.where(aligned, torch.ones_like(angle), angle)
    weight_a = torch.where(aligned, 1 - part, ((1 - part) * safe).sin() / safe.sin())
    weight_b = torch.where(aligned, part, (part * safe).sin() / safe.sin())
    return weight_a * a + weight_b * b
