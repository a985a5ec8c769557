"""What single frames of videos look like, and how much changes from one to the next: uint8 (N, T, H, W, C)."""

import numpy as np
import numpy.typing as npt

from fm.metrics.distances import frechet_distance

Videos = npt.NDArray[np.uint8]
Frames = npt.NDArray[np.uint8]

SQUARES = 8
"""Along a side of a frame that is looked at from afar."""


def from_afar(videos: Videos) -> Frames:
    """Each frame as the means of 8 x 8 squares, to whole grey levels: (N, T, 64 C).

    >>> from_afar(np.full((1, 2, 16, 12, 1), 7, np.uint8)).shape
    (1, 2, 64)
    """
    means = videos.astype(np.float32)
    for axis in (2, 3):
        edges = np.arange(SQUARES + 1) * videos.shape[axis] // SQUARES
        sums = np.add.reduceat(means, edges[:-1], axis=axis)
        means = sums / np.diff(edges).reshape(-1, *[1] * (videos.ndim - 1 - axis))
    return np.rint(means).astype(np.uint8).reshape(*videos.shape[:2], -1)


def distance_of_frames(made: Frames, real: Frames) -> float:
    """The Fréchet distance of single frames (N, T, D), in grey levels squared; not a number of too few of them, or
    where a frame has fewer pixels than squares.

    >>> frames = np.random.default_rng(0).integers(0, 256, (9, 16, 64), np.uint8)
    >>> distance_of_frames(frames, frames) < 1e-6
    True
    """
    try:
        return frechet_distance(*(each.reshape(-1, each.shape[-1]).astype(np.float64) for each in (made, real)))
    except ValueError:
        return float("nan")


def change(videos: Videos) -> npt.NDArray[np.float64]:
    """How much pixels differ from a frame to the next: the mean absolute difference, in grey levels, (N,).

    >>> change(np.array([0, 10, 10], np.uint8).reshape(1, 3, 1, 1, 1))
    array([5.])
    """
    each = [np.abs(np.diff(video.astype(np.int16), axis=0)).mean() for video in videos]
    return np.array(each, dtype=np.float64)
