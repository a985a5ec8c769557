from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fm.codecs import Codec
from fm.noise import Draws


class Logarithms(Codec, says="amounts above 0, by their logarithm"):
    """float32 (C, *spatial) above 0: of concentrations, intensities, prices."""

    dtype: ClassVar[str] = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stored

    @property
    def bound(self) -> None:
        return None

    def encode(self, stored: NDArray[Any], draws: Draws | None = None) -> Tensor:
        return torch.from_numpy(np.log(stored).astype(np.float32))

    def decode(self, x: Tensor) -> NDArray[Any]:
        return np.ascontiguousarray(x.exp().cpu().numpy()).astype(self.dtype)
