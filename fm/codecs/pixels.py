"""Images, videos and volumes of grey levels or colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.codecs.codec import require
from fm.codecs.described import Described
from fm.components import option
from fm.images import to_float, to_uint8
from fm.lazy import torch
from fm.noise import Draws
from fm.paths import SIGMA_DATA

if TYPE_CHECKING:
    from torch import Tensor


class Pixels(Described, name="pixels", says="grey levels or colours, from -1 to 1: images, videos and volumes"):
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
