"""Measurements that lie between two limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.codecs.codec import require
from fm.codecs.described import Described
from fm.components import option
from fm.images import tensor_of
from fm.lazy import torch
from fm.noise import Draws

if TYPE_CHECKING:
    from torch import Tensor


class Bounded(Described, name="bounded", says="measurements between two limits, as -1 to 1"):
    """float32 (C, *spatial) between `low` and `high` as float in [-1, 1]: intensities of a scanner, within a window.

    >>> bounded = Bounded(stored=(1, 3), low=-1000.0, high=1000.0, whole=True)
    >>> bounded.encode(np.array([[[-1000.0, 500, 1000]]]))
    tensor([[[-1.0000,  0.5000,  1.0000]]])
    >>> bounded.decode(torch.tensor([[[0.0, 0.1234, 2.0]]]))
    array([[[   0.,  123., 1000.]]], dtype=float32)
    """

    dtype: ClassVar[str] = "float32"
    on_device: ClassVar[bool] = True
    low: float = option(0.0, says="what is modelled as -1")
    high: float = option(1.0, says="what is modelled as 1")
    whole: bool = option(False, says="whether all of them are whole numbers, to which samples are rounded")

    def check(self) -> None:
        super().check()
        if self.low >= self.high:
            raise ValueError(f"low = {self.low:g}: must be below high = {self.high:g}")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stored

    @property
    def bound(self) -> float:
        return 1.0

    def encode(self, stored: NDArray[Any] | Tensor, draws: Draws | None = None) -> Tensor:
        require(self, stored)
        x = tensor_of(stored) if isinstance(stored, np.ndarray) else stored
        return ((x.double() - self.low) * (2 / (self.high - self.low)) - 1).float()

    def decode(self, x: Tensor) -> NDArray[Any]:
        """What lies outside is clipped."""
        values = (x.double().cpu().clamp(-1, 1) + 1) * ((self.high - self.low) / 2) + self.low
        return np.ascontiguousarray((torch.round(values) if self.whole else values).numpy()).astype(self.dtype)
