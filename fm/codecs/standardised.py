"""Measurements in floats."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from fm.codecs.codec import require
from fm.codecs.described import Described
from fm.codecs.measuring import Moments, chunks, rounded
from fm.components import option
from fm.data.rows import Rows
from fm.images import tensor_of
from fm.lazy import torch
from fm.noise import Draws

if TYPE_CHECKING:
    from torch import Tensor


class Standardised(
    Described, name="standardised", says="measurements, each channel less its mean and by its deviation"
):
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
        super().check()
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            if len(values) not in (1, self.stored[0]):
                raise ValueError(f"{name} has {len(values)} numbers for {self.stored[0]} channels")

    @classmethod
    def fitted(cls, rows: Rows) -> Self:
        """With each channel's own mean and deviation; a channel that never changes is left as wide as it is."""
        stored = rows[np.arange(1)]["data"]
        moments = Moments(stored.shape[1])
        for some in chunks(len(rows), prod(stored.shape[1:])):
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
