import torch
from torch import Tensor

from fm.components import option
from fm.grids import Grid
from fm.paths import Path


class Power(Grid, says="smaller steps near noise, by a power"):
    """t0 + (t1 - t0) u^n for u in equal steps."""

    n: float = option(2.0, least=1, most=10, says="exponent of u")

    def __call__(self, path: Path, steps: int, t0: float, t1: float) -> Tensor:
        return t0 + (t1 - t0) * torch.linspace(0, 1, steps + 1, dtype=torch.float64) ** self.n
