"""Random numbers that are functions of a seed, a position and a purpose.

Sample i of seed s has a stream of its own (Philox, a counter-based generator: Salmon et al. 2011), so its noise
is the same bits whatever the batch size, the number of processes, or how many samples are asked for. What is drawn
for another purpose has another stream: with one seed for all, samples would start from noise seen in training.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fm.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Stream = np.random.Generator


class Purpose(IntEnum):
    """What random numbers are for. A number keeps its meaning: by it a seed means the same images in later versions.

    >>> stream(0, 5, Purpose.SAMPLE).random() == stream(0, 5, Purpose.NOISE).random()
    False
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


def stream(seed: int, position: int, purpose: Purpose) -> Stream:
    """The random stream of what is at `position` under `seed`, both in [0, 2**63), for one purpose."""
    # The purpose is the counter's highest word: 2**192 blocks of numbers lie between two of them.
    counter = np.array([0, 0, 0, purpose], dtype=np.uint64)
    key = np.array([seed, position], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=key))


def streams(seed: int, positions: Iterable[int], purpose: Purpose) -> list[Stream]:
    return [stream(seed, position, purpose) for position in positions]


def normal(streams: list[Stream], shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32 (len(streams), *shape), the next numbers of each stream."""
    values = np.empty((len(streams), math.prod(shape)), dtype=np.float32)
    for row, one in zip(values, streams, strict=True):
        one.standard_normal(out=row, dtype=np.float32)
    return torch.from_numpy(values.reshape(len(streams), *shape))


def uniform(streams: list[Stream], count: int) -> Tensor:
    """Uniform float32 (len(streams), count) in [0, 1), the next numbers of each stream."""
    return torch.from_numpy(np.stack([one.random(count, dtype=np.float32) for one in streams]))


class Draws:
    """The random numbers of the data at `positions`: functions of (seed, position, purpose) and of nothing else.

    Whoever asks, whenever and however often, gets the same numbers for a purpose.

    >>> Draws(seed=0, positions=[3, 4]).uniform(1, Purpose.TIME)[1] == Draws(0, [4]).uniform(1, Purpose.TIME)[0]
    tensor([True])

    Attributes:
        first: the position at which the whole batch begins that these are a part of; by default they are all of it.
        of: how many the whole batch has.
        device: where the numbers are given. They are drawn on the CPU, so that they are the same everywhere.
    """

    # No dataclass: Lightning, which looks for tensors in a batch, takes no frozen one.
    def __init__(self, seed: int, positions: Sequence[int], first: int | None = None, of: int | None = None) -> None:
        self.seed = seed
        self.positions = positions
        self.first = positions[0] if first is None else first
        self.of = len(positions) if of is None else of
        self.device = torch.device("cpu")
        self._ready: dict[tuple[str, Purpose], Tensor] = {}

    def normal(self, shape: Sequence[int], purpose: Purpose) -> Tensor:
        """Standard normal float32 (B, *shape)."""
        ready = self._ready.get(("normal", purpose))
        if ready is None or tuple(ready.shape[1:]) != tuple(shape):
            ready = normal(streams(self.seed, self.positions, purpose), tuple(shape))
        return ready.to(self.device)

    def uniform(self, count: int, purpose: Purpose) -> Tensor:
        """Uniform float32 (B, count) in [0, 1)."""
        ready = self._ready.get(("uniform", purpose))
        if ready is None or ready.shape[1] != count:
            ready = uniform(streams(self.seed, self.positions, purpose), count)
        return ready.to(self.device)

    def stratified(self, purpose: Purpose) -> Tensor:
        """Uniform float32 (B,): that of place i of a whole batch of B is uniform on [i / B, (i + 1) / B)."""
        places = torch.tensor([position - self.first for position in self.positions], dtype=torch.float64)
        u = (places.to(self.device) + self.uniform(1, purpose)[:, 0]) / self.of
        return u.float().clamp(max=1 - 2**-24)

    def seed_layers(self) -> None:
        """Seed PyTorch's own generators, from which dropout draws: it too is a function of the batch."""
        seed = int(stream(self.seed, self.positions[0], Purpose.LAYERS).integers(2**63))
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)  # torch.manual_seed takes milliseconds to keep it for GPUs too
        else:
            torch.manual_seed(seed)

    def ahead(self, normals: Mapping[Purpose, Sequence[int]], uniforms: Mapping[Purpose, int]) -> Self:
        """The same, with numbers of these shapes drawn already: for a process that has time while another has none."""
        ready = {("normal", purpose): self.normal(shape, purpose) for purpose, shape in normals.items()}
        ready |= {("uniform", purpose): self.uniform(count, purpose) for purpose, count in uniforms.items()}
        return self._with(self.device, self._ready | ready)

    def part(self, rows: slice) -> Self:
        """Those of some of the data, as they are in the whole batch."""
        other = self._with(self.device, {key: one[rows] for key, one in self._ready.items()})
        other.positions = self.positions[rows]
        return other

    def to(self, device: torch.device | str, **how: Any) -> Self:
        """The same numbers, given on another device; those that are drawn already are moved by Tensor.to's options."""
        return self._with(torch.device(device), {key: one.to(device, **how) for key, one in self._ready.items()})

    def _with(self, device: torch.device, ready: dict[tuple[str, Purpose], Tensor]) -> Self:
        other = copy.copy(self)
        other.device, other._ready = device, ready
        return other


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
