import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fm.components import option
from fm.noise_sources import NoiseSource


class Fading(NoiseSource, says="white noise that fades from row to row"):
    """Of variance 1 in the mean, in the last row `ratio` times as large as in the first."""

    ratio: float = option(0.5, above=0, most=1, says="of the last row's noise to the first's")

    def shaped(self, white: Tensor) -> Tensor:
        return white * self.deviations(white.shape[1:]).to(white)

    def whitened(self, noise: Tensor) -> Tensor:
        return noise / self.deviations(noise.shape[1:]).to(noise)

    def log_volume(self, shape: Sequence[int]) -> float:
        return float(self.deviations(shape).log().sum()) * math.prod(shape) / shape[1]

    def deviations(self, shape: Sequence[int]) -> Tensor:
        fading = torch.linspace(1, self.ratio, shape[1], dtype=torch.float64)
        return (fading / fading.square().mean().sqrt()).reshape(-1, *[1] * (len(shape) - 2))
