"""Resizing as clean-fid does it, many pictures at once and on any device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fm.images import Images
from fm.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

SMALL = 64
"""Pixels of a side. With so few, products with all weights, most of them 0, are faster than looking weights up."""


def bicubic(images: Images, size: int, device: torch.device) -> Tensor:
    """uint8 (N, H, W, C) -> float32 (N, C, size, size) in 0 to 255, not rounded.

    Bicubic, with the kernel widened where a picture gets smaller (Parmar et al. 2022, arXiv 2104.11222). Pillow's
    filter on float planes, which clean-fid takes, and PyTorch's antialiased one have the same weights.

    >>> import numpy as np
    >>> bicubic(np.full((2, 8, 8, 3), 7, np.uint8), 299, torch.device("cpu")).shape
    torch.Size([2, 3, 299, 299])
    """
    planes = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).contiguous().float()
    height, width = planes.shape[2:]
    if device.type == "cpu" and max(height, width) <= SMALL:
        resized = weights(height, size) @ (planes @ weights(width, size).T)
    else:
        resized = interpolated(planes, size, size)
    return resized.clamp_(0, 255)


def weights(side: int, size: int) -> Tensor:
    """What each of `size` pixels takes of each of `side`, (size, side): the resized identity."""
    return interpolated(torch.eye(side)[None, None], size, side)[0, 0]


def interpolated(planes: Tensor, height: int, width: int) -> Tensor:
    return torch.nn.functional.interpolate(planes, (height, width), mode="bicubic", antialias=True)
