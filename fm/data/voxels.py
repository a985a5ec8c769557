"""Voxels of surfaces: those that a surface passes through, and those that it encloses."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SPACING = 0.35
"""Of the points that a triangle is tried at, in voxels: fine enough that no surface lets through a neighbour's step."""
AT_ONCE = 1_000_000
"""Points that are tried together, more or less."""


class Mesh(NamedTuple):
    """A surface of triangles.

    Attributes:
        points: float64 (P, 3).
        triangles: int64 (T, 3), numbers of points.

    >>> Mesh(np.eye(3), np.array([[0, 1, 2]])).triangles.shape
    (1, 3)
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int64]


def mesh(obj: bytes) -> Mesh:
    """Of a Wavefront OBJ file; a face of more corners is a fan of triangles. Colours and textures are left out.

    Raises:
        ValueError: it has no faces, or faces whose points are not there.

    >>> mesh(b"v 0 0 0\\nv 1 0 0\\nv 1 1 0\\nv 0 1 0\\nf 1/1/1 2/2/1 3/3/1 -1\\n").triangles.tolist()
    [[0, 1, 2], [0, 2, 3]]
    """
    points, triangles = [], []
    for line in obj.splitlines():
        kind, *words = line.split() or [b""]
        if kind == b"v":
            points.append([float(word) for word in words[:3]])
        elif kind == b"f":
            corners = [int(word.partition(b"/")[0]) for word in words]
            first, *others = [corner - 1 if corner > 0 else len(points) + corner for corner in corners]
            triangles += [(first, one, other) for one, other in pairwise(others)]
    if not triangles:
        raise ValueError("an OBJ file without faces")
    found = Mesh(np.array(points, dtype=np.float64), np.array(triangles, dtype=np.int64))
    if found.triangles.min() < 0 or found.triangles.max() >= len(points):
        raise ValueError("an OBJ file with faces whose points are not there")
    return found


def voxelised(corners: NDArray[np.float64], side: int) -> NDArray[np.bool_]:
    """Which voxels (side, side, side) triangles (T, 3, 3) pass through or enclose: those of a cube from 0 to `side`.

    What is enclosed is what cannot be reached from outside by steps across faces: a surface with a hole as large as a
    voxel encloses nothing.

    >>> square = np.array([[0.5, 0.5, 0.5], [0.5, 2.5, 0.5], [0.5, 2.5, 2.5], [0.5, 0.5, 2.5]])
    >>> voxelised(square[[[0, 1, 2], [0, 2, 3]]], side=3)[:, 0].astype(int).tolist()
    [[1, 1, 1], [0, 0, 0], [0, 0, 0]]
    """
    from scipy import ndimage  # takes a moment, which checking settings can do without

    touched = np.zeros((side, side, side), dtype=np.bool_)
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max(axis=1)
    steps = np.maximum(np.ceil(edges / SPACING), 1).astype(np.int64)
    for count in np.unique(steps):
        some, shares = corners[steps == count], barycentric(int(count))
        for part in np.array_split(some, max(len(some) * len(shares) // AT_ONCE, 1)):
            places = np.floor(shares @ part).reshape(-1, 3).astype(np.int64)
            touched[tuple(np.clip(places, 0, side - 1).T)] = True
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(touched)
    return filled


def barycentric(steps: int) -> NDArray[np.float64]:
    """Shares of the three corners at evenly spaced points of a triangle, its corners among them: (K, 3).

    >>> barycentric(1).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    one, other = np.mgrid[: steps + 1, : steps + 1].reshape(2, -1)
    one, other = one[one + other <= steps], other[one + other <= steps]
    return np.stack([steps - one - other, one, other], axis=-1) / steps
