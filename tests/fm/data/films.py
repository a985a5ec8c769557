"""Videos made here: each frame says by its brightness which it is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

STEP = 4
"""Grey levels from a frame to the next."""


def frames(count: int, shade: int = 0, size: tuple[int, int] = (20, 16)) -> list[Image.Image]:
    """Grey but for the first column, which tells films apart."""
    made = []
    for number in range(count):
        pixels = np.full((size[1], size[0], 3), STEP * number, np.uint8)
        pixels[:, 0] = shade
        made.append(Image.fromarray(pixels))
    return made


def save_film(path: Path, count: int, duration: int | Sequence[int] = 100, shade: int = 0) -> None:
    """An animated GIF, WebP or PNG, as its suffix says; `duration` in ms, of each frame or of all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lossless = {"lossless": True, "exact": True} if path.suffix == ".webp" else {}
    first, *others = frames(count, shade)
    first.save(path, save_all=True, append_images=others, duration=duration, loop=0, **lossless)


def numbers(clips: np.ndarray) -> list[list[int]]:
    """Which frames clips (N, T, H, W, C) are made of."""
    middle = clips[:, :, clips.shape[2] // 2, clips.shape[3] // 2, 0]
    return np.rint(middle / STEP).astype(int).tolist()
