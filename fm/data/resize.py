"""Bringing images to the size that the network sees."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def resize(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Cut the middle square out of each image and resize it, antialiased (Lanczos, support scaled as Pillow does).

    Pillow works on bytes in integers, so the result is the same bits on every machine; in floats it would not be.

    Args:
        images: uint8 (N, H, W, C). Channels are resized one by one, so there may be any number.
        size: of the result, in pixels.

    Returns:
        uint8 (N, size, size, C); a view of `images` where only a cut, or nothing, was needed.
    """
    count, height, width, channels = images.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    squares = images[:, top : top + side, left : left + side]
    if side == size:
        return squares
    result = np.empty((count, size, size, channels), dtype=np.uint8)
    for square, target in zip(squares, result, strict=True):
        for channel in range(channels):
            plane = Image.fromarray(np.ascontiguousarray(square[:, :, channel]))
            target[:, :, channel] = np.asarray(plane.resize((size, size), Image.Resampling.LANCZOS))
    return result
