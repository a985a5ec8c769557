"""Between what is stored and what is modelled: numpy arrays (B, *stored) outside, float tensors (B, *shape) inside.

`stored` is the shape of one datum as people and files have it, `shape` is (C, *spatial), what networks see; the two
need not have as many numbers. Images, videos and volumes are Pixels; measurements are Standardised.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from fm.components import Component, option
from fm.data.rows import Rows
from fm.images import tensor_of, to_float, to_uint8
from fm.lazy import torch
from fm.noise import Draws
from fm.paths import SIGMA_DATA

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 1000
"""How many data are encoded at a time while their scale is measured."""


class Codec(Component, ABC, kind="codec"):
    """Encodes what is stored and decodes what is made.

    Attributes:
        dtype: numpy's name for what is stored.
        on_device: whether `encode` takes tensors too and stays on their device, so that a GPU is given data as small as
            they are stored.

    >>> codec = Codec.of({"name": "pixels", "stored": [8, 8, 3]})
    >>> codec.encode(np.full((1, 8, 8, 3), 255, np.uint8)).max()
    tensor(1.)
    """

    dtype: ClassVar[str]
    on_device: ClassVar[bool] = False
    stored: tuple[int, ...] = option(least=1, length=(1, 16), says="shape of one datum as stored")
    scale: float = option(1.0, above=0, most=1e6, says="standard deviation of the modelled data, as measured")

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(C, *spatial) of one datum as modelled."""

    @property
    @abstractmethod
    def bound(self) -> float | None:
        """The largest absolute value of modelled data; None where nothing bounds them."""

    @abstractmethod
    def encode(self, stored: NDArray[Any], draws: Draws | None = None) -> Tensor:
        """(B, *stored) -> float32 (B, *shape); a codec that draws takes its mean where it is given no draws."""

    @abstractmethod
    def decode(self, x: Tensor) -> NDArray[Any]:
        """(B, *shape) -> (B, *stored), contiguous and of this codec's dtype."""


class Pixels(Codec, name="pixels", says="grey levels or colours, from -1 to 1: images, videos and volumes"):
    """uint8 (*spatial, C) as float (C, *spatial) in [-1, 1]: images, videos and volumes alike.

    >>> Pixels(stored=(8, 8, 3)).shape
    (3, 8, 8)
    """

    dtype: ClassVar[str] = "uint8"
    on_device: ClassVar[bool] = True
    scale: float = option(SIGMA_DATA, above=0, most=1e6, says="standard deviation of the pixels, as measured")

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.stored[-1], *self.stored[:-1])

    @property
    def bound(self) -> float:
        return 1.0

    def encode(self, stored: NDArray[Any] | Tensor, draws: Draws | None = None) -> Tensor:
        require(self, stored)
        if stored.dtype not in (np.uint8, torch.uint8):
            raise ValueError(f"pixels are uint8, not {stored.dtype}")
        return to_float(stored)

    def decode(self, x: Tensor) -> NDArray[np.uint8]:
        """Rounded to nearest, what lies outside clipped."""
        return to_uint8(x)


class Standardised(Codec, name="standardised", says="measurements, each channel less its mean and by its deviation"):
    """Floats (C, *spatial), each channel less its mean and by its deviation: what instruments and simulations give.

    One mean and one deviation hold for all channels.

    >>> Standardised(stored=(2, 5), mean=(1.0, 0.0), deviation=(2.0, 1.0)).encode(np.ones((1, 2, 5)))[0, :, 0]
    tensor([0., 1.])
    """

    dtype: ClassVar[str] = "float32"
    on_device: ClassVar[bool] = True
    mean: tuple[float, ...] = option((0.0,), says="of each channel, or of all")
    deviation: tuple[float, ...] = option((1.0,), above=0, says="of each channel, or of all")

    def check(self) -> None:
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            if len(values) not in (1, self.stored[0]):
                raise ValueError(f"{name} has {len(values)} numbers for {self.stored[0]} channels")

    @classmethod
    def fitted(cls, rows: Rows) -> Self:
        """With each channel's own mean and deviation; a channel that never changes is left as wide as it is."""
        stored = rows[np.arange(1)]["data"]
        moments = Moments(stored.shape[1])
        for some in chunks(len(rows)):
            moments.add(rows[some]["data"].astype(np.float64))
        deviation = tuple(rounded(value) or 1.0 for value in moments.deviation())
        return cls(stored=stored.shape[1:], mean=tuple(map(rounded, moments.mean())), deviation=deviation)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stored

    @property
    def bound(self) -> None:
        return None

    def encode(self, stored: NDArray[Any] | Tensor, draws: Draws | None = None) -> Tensor:
        require(self, stored)
        x = tensor_of(stored) if isinstance(stored, np.ndarray) else stored
        mean, deviation = (torch.from_numpy(values).to(x.device, non_blocking=True) for values in self._channels())
        return ((x.double() - mean) / deviation).float()

    def decode(self, x: Tensor) -> NDArray[Any]:
        mean, deviation = self._channels()
        return np.ascontiguousarray(x.double().cpu().numpy() * deviation + mean).astype(self.dtype)

    def _channels(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        ones = (1,) * (len(self.stored) - 1)
        return np.reshape(self.mean, (-1, *ones)), np.reshape(self.deviation, (-1, *ones))


def require(codec: Codec, stored: NDArray[Any] | Tensor) -> None:
    """That these are data of the shape that the codec stores. Raises ValueError."""
    if tuple(stored.shape[1:]) != codec.stored:
        raise ValueError(f"each datum must be {codec.stored}, not {tuple(stored.shape[1:])}")


class Moments:
    """Mean and standard deviation of numbers that come in parts, channel by channel.

    >>> moments = Moments(channels=1)
    >>> moments.add(np.array([[1.0], [3.0]]))
    >>> moments.mean(), moments.deviation()
    (array([2.]), array([1.]))
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.sum, self.squares = np.zeros(channels), np.zeros(channels)

    def add(self, data: NDArray[np.float64]) -> None:
        """Data (B, C, ...)."""
        by_channel = np.moveaxis(data, 1, 0).reshape(len(self.sum), -1)
        self.count += by_channel.shape[1]
        self.sum += by_channel.sum(1)
        self.squares += (by_channel**2).sum(1)

    def mean(self) -> NDArray[np.float64]:
        return self.sum / self.count

    def deviation(self) -> NDArray[np.float64]:
        return np.sqrt(np.maximum(self.squares / self.count - self.mean() ** 2, 0))


def measured(codec: Codec, rows: Rows) -> Codec:
    """The codec with the scale of these data; with its own where all their numbers are equal."""
    moments = Moments(1)
    for some in chunks(len(rows)):
        moments.add(codec.encode(rows[some]["data"]).double().numpy().reshape(len(some), 1, -1))
    return replace(codec, scale=rounded(moments.deviation()[0]) or codec.scale)


def chunks(count: int) -> list[NDArray[np.int64]]:
    return [np.arange(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]


def rounded(value: float) -> float:
    """To six digits, which every machine finds alike."""
    return float(f"{value:.6g}")
