"""Between the float tensors inside and the uint8 images outside."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fm.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Images = npt.NDArray[np.uint8]


def tensor_of(array: npt.NDArray[Any]) -> Tensor:
    """An array as a tensor of the same bytes; one that may not be written to, or of foreign byte order, is copied."""
    return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), "W"))


def to_float(images: Images | Tensor) -> Tensor:
    """uint8 (B, *spatial, C) -> float32 (B, C, *spatial) in [-1, 1], where a tensor is."""
    x = tensor_of(images) if isinstance(images, np.ndarray) else images
    return x.float().movedim(-1, 1) / 127.5 - 1


def to_uint8(x: Tensor) -> Images:
    """Float (B, C, *spatial) in [-1, 1] -> uint8 (B, *spatial, C), rounded to nearest, what lies outside clipped."""
    scaled = ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(scaled.movedim(1, -1).cpu().numpy())


def grid(images: Images, columns: int, gap: int = 1) -> Images:
    """Images (B, H, W, C) row by row on a grey sheet -> uint8 (rows * H, columns * W, C), gaps added."""
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 128, dtype=np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap) + gap, (i % columns) * (width + gap) + gap
        sheet[top : top + height, left : left + width] = image
    return sheet


def reduced(images: Images, side: int) -> Images:
    """Images (B, H, W, C) of at most so many pixels a side, by the means of squares; smaller ones as they are. What is
    left of a square at the right and at the bottom is cut off.

    >>> reduced(np.zeros((2, 512, 300, 3), np.uint8), side=128).shape
    (2, 128, 75, 3)
    """
    count, height, width, channels = images.shape
    factor = -(-max(height, width) // side)
    if factor <= 1:
        return images
    rows, columns = height // factor, width // factor
    squares = images[:, : rows * factor, : columns * factor].reshape(count, rows, factor, columns, factor, channels)
    means: Images = squares.mean(axis=(2, 4)).round().astype(np.uint8)
    return means


def png(image: Images) -> bytes:
    """A PNG file of one image (H, W, 1) grey or (H, W, 3) colour; equal pixels give equal bytes."""
    from PIL import Image  # of the extra `data`: arrays are made and measured without it

    content = io.BytesIO()
    Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(content, format="PNG")
    return content.getvalue()


def save_png(image: Images, path: Path) -> None:
    path.write_bytes(png(image))
