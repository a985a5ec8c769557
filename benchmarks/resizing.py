"""How fast Inception's pictures are resized, beside clean-fid's own resizer, and how far from it they come out.

    .venv/bin/python -m benchmarks.resizing

The pictures are scikit-learn's two photographs, cut into tiles. Both are timed in turn within one run; medians over
rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from cleanfid.resize import build_resizer
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images

from benchmarks.bars import Bar
from fm.images import Images
from fm.metrics.extractors.extractor import rgb
from fm.metrics.extractors.inception import BATCH_ON_CPU, SIZE
from fm.metrics.extractors.resizing import bicubic

ROUNDS = 25
SHAPES = ((28, 1), (32, 3), (64, 3), (256, 3))


def bars() -> Iterator[Bar]:
    for side, rate in main().items():
        if side <= 32:
            yield Bar(f"pictures of {side}x{side} resized for Inception a second, in thousands", rate / 1000, 3)


def main(rounds: int = ROUNDS) -> dict[int, float]:
    """Print how fast, and return images/s by the pictures' side."""
    found = {}
    theirs = build_resizer("clean")
    print(f"to {SIZE}x{SIZE}, {BATCH_ON_CPU} at a time, {torch.get_num_threads()} threads")
    for side, channels in SHAPES:
        images = tiles(side)[:BATCH_ON_CPU, :, :, :channels]

        def one_by_one(images: Images = images) -> NDArray[np.float32]:
            return np.stack([theirs(image) for image in rgb(images)])

        def together(images: Images = images) -> NDArray[np.float32]:
            resized = bicubic(images, SIZE, torch.device("cpu")).expand(-1, 3, -1, -1)
            return resized.permute(0, 2, 3, 1).numpy()

        furthest = float(np.abs(one_by_one() - together()).max())
        seconds = [(timed(one_by_one), timed(together)) for _ in range(rounds)]
        slow, fast = (statistics.median(each) for each in zip(*seconds, strict=True))
        found[side] = BATCH_ON_CPU / fast
        print(
            f"{side}x{side}x{channels}: {BATCH_ON_CPU / fast:.0f} images/s, {slow / fast:.1f} times clean-fid's "
            f"{BATCH_ON_CPU / slow:.0f}; at most {furthest:.1g} of 255 apart"
        )
    return found


def tiles(side: int) -> Images:
    """uint8 (at least BATCH_ON_CPU, side, side, 3), cut from photographs wherever they fit."""
    corners = np.random.default_rng(0).random((BATCH_ON_CPU, 2))
    photographs = load_sample_images().images
    found = []
    for number, (down, right) in enumerate(corners):
        photograph = photographs[number % len(photographs)]
        top, left = (int(part * (length - side)) for part, length in zip((down, right), photograph.shape, strict=False))
        found.append(photograph[top : top + side, left : left + side])
    return np.stack(found)


def timed(job: Callable[[], NDArray[np.float32]]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def arguments() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog="python -m benchmarks.resizing", description=(__doc__ or "").split("\n")[0])


if __name__ == "__main__":
    arguments().parse_args()
    main()
