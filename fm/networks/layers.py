"""What the networks have in common."""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class TimeEmbedding(nn.Module):
    """Sinusoidal features of t (Vaswani et al. 2017), through a two-layer perceptron."""

    def __init__(self, width: int, features: int = 64) -> None:
        super().__init__()
        # t lies in [0, 1]: periods from 1/1000 of that interval to ten times it, as DDPM's over 1000 steps.
        frequencies = 1000.0 * torch.exp(-math.log(10_000.0) * torch.arange(features // 2) / (features // 2))
        self.frequencies: Tensor
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.first, self.second = nn.Linear(features, width), nn.Linear(width, width)

    def forward(self, t: Tensor) -> Tensor:
        angles = t[:, None].float() * self.frequencies
        features = torch.cat([angles.cos(), angles.sin()], dim=1)
        out: Tensor = self.second(F.silu(self.first(features.to(self.first.weight.dtype))))
        return out


def zero_init(layer: Layer) -> Layer:
    """A block that starts as the identity, a network that starts at zero (Ho et al. 2020)."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
