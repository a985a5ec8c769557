"""A network of pictures and one of captions that meet in one space: what belongs together is near (Radford et al. 2021,
arXiv 2103.00020, section 2.3)."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from fm.metrics.looking import looking

WARMEST, COLDEST = 1.0, 100.0
"""Bounds of what similarities are multiplied with, as CLIP has them."""


class Towers(nn.Module):
    """Pictures by convolutions, captions by one linear map of what a frozen encoder has made of them.

    >>> towers = Towers(channels=3, height=32, width=32, words=384)
    >>> towers(torch.zeros(2, 3, 32, 32)).shape, towers.read(torch.zeros(5, 384)).shape
    (torch.Size([2, 64]), torch.Size([5, 64]))
    """

    def __init__(self, channels: int, height: int, width: int, words: int, dimensions: int = 64) -> None:
        super().__init__()
        self.look = looking(channels, height, width, dimensions)
        self.hear = nn.Linear(words, dimensions)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) in [-1, 1] -> (B, dimensions), whose direction is compared."""
        looked: Tensor = self.look(x)
        return looked

    def read(self, words: Tensor) -> Tensor:
        """The mean of a caption's tokens, (B, words) -> (B, dimensions)."""
        heard: Tensor = self.hear(words)
        return heard


def contrast(
    towers: Towers, words: NDArray[np.float32], captions: NDArray[np.int64], ends: NDArray[np.int64], seed: int
) -> Callable[[Tensor, NDArray[np.int64]], Tensor]:
    """The loss for fm.metrics.fitting: each picture is to be nearest to one of its captions, drawn at random, among
    those of its batch, and each caption to its picture. Pictures without captions have no part in it.

    Args:
        words: of each different caption, the mean of its tokens (M, words).
        captions: the numbers of each picture's captions, one picture after the other.
        ends: (N,), where each picture's end.
    """
    random = np.random.default_rng(seed)
    counts = np.diff(ends, prepend=0)

    def loss(looked: Tensor, rows: NDArray[np.int64]) -> Tensor:
        drawn = (random.random(len(rows)) * counts[rows]).astype(np.int64)
        told = np.flatnonzero(counts[rows])
        numbers = captions[(ends - counts)[rows[told]] + drawn[told]]
        heard = towers.read(torch.from_numpy(words[numbers]).to(looked.device))
        pictures = looked[torch.from_numpy(told).to(looked.device)]
        scale = towers.log_scale.exp().clamp(WARMEST, COLDEST)
        similar = scale * F.normalize(pictures, dim=1) @ F.normalize(heard, dim=1).T
        twice = torch.from_numpy((numbers[:, None] == numbers) & ~np.eye(len(numbers), dtype=np.bool_))
        similar = similar.masked_fill(twice.to(looked.device), -math.inf)  # a caption of two pictures is right for both
        own = torch.arange(len(numbers), device=looked.device)
        both = F.cross_entropy(similar, own, reduction="sum") + F.cross_entropy(similar.T, own, reduction="sum")
        return both / (2 * max(len(numbers), 1))

    return loss
