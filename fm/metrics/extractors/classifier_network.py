"""A small convolutional classifier whose penultimate layer measures images of a labelled dataset."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

LARGEST = 64
"""Pixels a side of the pictures that are looked at; larger ones are made so small."""
CONVOLUTIONS = 10
"""Layers of the body before pictures become vectors."""


class Classifier(nn.Module):
    """Three convolutions at falling resolution and one hidden layer of `dimensions` features.

    >>> Classifier(channels=1, image_size=8, num_classes=10)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(self, channels: int, image_size: int, num_classes: int, dimensions: int = 64) -> None:
        super().__init__()
        self.size = image_size
        looked_at = min(image_size, LARGEST)
        stride = 2 if looked_at >= 16 else 1
        side = -(-looked_at // stride) // 2
        self.body = nn.Sequential(
            *block(channels, 32, stride),
            *block(32, 64),
            nn.MaxPool2d(2),
            *block(64, 64),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(64 * side**2, dimensions),
            nn.ReLU(),
        )
        self.head = nn.Linear(dimensions, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) in [-1, 1] -> logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) in [-1, 1] -> (B, dimensions)."""
        seen: Tensor = self.body(self._looked_at(x))
        return seen

    def convolved(self, x: Tensor) -> Tensor:
        """What its convolutions make of pictures, or of parts of them: x (B, C, h, w) -> (B, 64, ...)."""
        convolutions = self.body[:CONVOLUTIONS]
        seen: Tensor = convolutions(self._looked_at(x))
        return seen

    def _looked_at(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, LARGEST) if self.size > LARGEST else x


def block(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


def recognition(labels: NDArray[np.int64]) -> Callable[[Tensor, NDArray[np.int64]], Tensor]:
    """The loss of a classifier of images with these labels, int64 (N,), for fm.metrics.fitting.

    >>> recognition(np.array([1, 0]))(torch.zeros(1, 2), np.array([0]))
    tensor(0.6931)
    """

    def loss(logits: Tensor, rows: NDArray[np.int64]) -> Tensor:
        return F.cross_entropy(logits, torch.from_numpy(labels[rows]).to(logits.device))

    return loss
