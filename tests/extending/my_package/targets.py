import torch
from torch import Tensor

from fm.paths import Path
from fm.targets import Target


class Difference(Target, says="data less noise", formula="$x_1 - x_0$"):
    """On the straight path the velocity; on any other one what leads straight from noise to data."""

    def mixture(self, path: Path, t: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(t), -torch.ones_like(t)
