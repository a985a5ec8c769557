"""What is measured of volumes of voxels, uint8 (N, D, H, W, 1): filled where they are at least half bright."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Voxels = npt.NDArray[np.uint8]

HALF = 128
TOUCHING = np.ones((3, 3, 3), dtype=np.bool_)
"""Voxels are of one part if they share a corner, an edge or a face."""


def filled(voxels: Voxels) -> npt.NDArray[np.bool_]:
    """Which are: (N, D, H, W)."""
    return voxels[..., 0] >= HALF


def occupancy(voxels: Voxels) -> npt.NDArray[np.float64]:
    """The share of each volume that is filled: (N,).

    >>> occupancy(np.array([0, 200], np.uint8).reshape(1, 1, 1, 2, 1))
    array([0.5])
    """
    found: npt.NDArray[np.float64] = filled(voxels).mean(axis=(1, 2, 3))
    return found


class Connected(NamedTuple):
    """What the volumes consist of.

    Attributes:
        parts: int64 (N,), how many do not touch each other.
        largest: float64 (N,), the share of what is filled that the largest has; not a number where nothing is filled.

    >>> Connected._fields
    ('parts', 'largest')
    """

    parts: npt.NDArray[np.int64]
    largest: npt.NDArray[np.float64]


def connected(voxels: Voxels) -> Connected:
    """The connected parts of each volume.

    >>> row = np.array([255, 255, 255, 0, 255], np.uint8).reshape(1, 1, 1, 5, 1)
    >>> connected(row)
    Connected(parts=array([2]), largest=array([0.75]))
    """
    from scipy import ndimage  # takes a moment, which checking settings can do without

    parts, largest = [], []
    for volume in filled(voxels):
        number, count = ndimage.label(volume, TOUCHING)
        sizes = np.bincount(number.ravel())[1:]
        parts.append(count)
        largest.append(sizes.max() / sizes.sum() if count else np.nan)
    return Connected(np.array(parts, dtype=np.int64), np.array(largest, dtype=np.float64))
