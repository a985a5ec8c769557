"""The small convolutional network that looks at pictures of any size, for those that are trained to measure them."""

import tempfile
from pathlib import Path

import numpy as np
from torch import nn
from torch.nn import functional as F

from fm.data.rows import Data
from fm.images import Images, tensor_of
from fm.metrics.extractors.classifier_network import block
from fm.metrics.extractors.extractor import chunks

LARGEST = 32
"""Pixels of the longer side of the pictures that are looked at, unless others are asked for; larger ones are made so
small. Of twice as many a training takes four times as long."""
COARSEST = 4
"""Pixels of the shorter side at which it stops halving."""
TOGETHER = 64
"""Pictures that are made smaller at a time."""


def looking(channels: int, height: int, width: int, dimensions: int, filters: int = 48) -> nn.Sequential:
    """x (B, channels, height, width) in [-1, 1] -> (B, dimensions).

    >>> import torch
    >>> looking(channels=3, height=32, width=48, dimensions=64)(torch.zeros(2, 3, 32, 48)).shape
    torch.Size([2, 64])
    """
    stride = 2 if min(height, width) >= 4 * COARSEST else 1
    layers: list[nn.Module] = [*block(channels, filters, stride)]
    height, width = -(-height // stride), -(-width // stride)
    inputs = filters
    while min(height, width) >= 2 * COARSEST:
        layers += [*block(inputs, 2 * filters), nn.MaxPool2d(2)]
        inputs, height, width = 2 * filters, height // 2, width // 2
    layers += block(inputs, 2 * filters)
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(2 * filters * height * width, dimensions))


def looked_at(images: Images, largest: int = LARGEST) -> Images:
    """Pictures (B, H, W, C) as they are looked at: the means of squares of large ones, the others as they are; uint8.

    >>> looked_at(np.full((2, 512, 256, 3), 7, np.uint8)).shape
    (2, 32, 16, 3)
    """
    if (square := square_of(images, largest)) == 1:
        return images
    return np.concatenate([means(part, square) for part in chunks(images, TOGETHER)])


def means(images: Images, square: int) -> Images:
    """Of squares with so many pixels a side, or what there is of them."""
    pooled = F.avg_pool2d(tensor_of(images).permute(0, 3, 1, 2).float(), square, ceil_mode=True)
    return np.ascontiguousarray(pooled.round().byte().permute(0, 2, 3, 1).numpy())


def all_looked_at(images: Data, folder: Path, largest: int = LARGEST) -> Data:
    """The same of however many pictures, for a training that sees each of them several times: what is made smaller lies
    in a file without a name below `folder`, which vanishes with the array."""
    if square_of(images, largest) == 1:
        return images
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        for part in chunks(images, TOGETHER):
            file.write(looked_at(part, largest).tobytes())
        file.flush()
        return np.memmap(file, np.uint8, "r", shape=(len(images), *looked_at(images[:1], largest).shape[1:]))


def square_of(images: Data, largest: int) -> int:
    """Pixels of a side of the squares that each become one."""
    _, height, width, _ = images.shape
    return -(-max(height, width) // largest)
