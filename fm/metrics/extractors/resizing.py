"""Resizing as clean-fid does it, many pictures at once and on any device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fm.images import Images
from fm.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def bicubic(images: Images, size: int, device: torch.device) -> Tensor:
    """uint8 (N, H, W, C) -> float32 (N, C, size, size) in 0 to 255, not rounded.

    Bicubic, with the kernel widened where a picture gets smaller (Parmar et al. 2022, arXiv 2104.11222). Pillow's
    filter on float planes, which clean-fid takes, and PyTorch's antialiased one have the same weights.

    >>> import numpy as np
    >>> bicubic(np.full((2, 8, 8, 3), 7, np.uint8), 299, torch.device("cpu")).shape
    torch.Size([2, 3, 299, 299])
    """
    planes = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).contiguous().float()
    resized = torch.nn.functional.interpolate(planes, (size, size), mode="bicubic", antialias=True)
    return resized.clamp_(0, 255)
