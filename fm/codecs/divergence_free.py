"""Velocities without divergence, which what is made of them has not either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fm.codecs.standardised import Standardised

if TYPE_CHECKING:
    from torch import Tensor


class DivergenceFree(
    Standardised,
    name="divergence_free",
    says="velocities of a periodic plane, made without divergence and mean when they are decoded",
    source="Chorin 1968, Math. Comp. 22 (projection)",
):
    """float32 (2, H, W), along x and along y, standardised; decoding takes away what is the slope of a potential.

    >>> import torch
    >>> from fm.metrics.fields import divergence_residual
    >>> made = DivergenceFree(stored=(2, 8, 8)).decode(torch.randn(3, 2, 8, 8))
    >>> bool(divergence_residual(made).max() < 1e-6)
    True
    """

    def check(self) -> None:
        super().check()
        if len(self.stored) != 3 or self.stored[0] != 2:
            raise ValueError(f"stored = {list(self.stored)}: must be [2, height, width], a velocity along x and y")

    def decode(self, x: Tensor) -> NDArray[Any]:
        from fm.spectral import velocity_of, vorticity_of

        projected = velocity_of(vorticity_of(super().decode(x)))
        return np.ascontiguousarray(projected.astype(self.dtype))
