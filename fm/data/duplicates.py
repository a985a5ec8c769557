"""Images that are in both splits, pixel for pixel: a model that remembers them looks better than it is."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def across(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Rows (i, j) with train[i] equal to test[j], by j; the first i where there are several. Images (N, H, W, C)."""
    first: dict[bytes, int] = {}
    for i, image in enumerate(train):
        first.setdefault(digest(image), i)
    return [(first[key], j) for j, key in enumerate(map(digest, test)) if key in first]


def digest(image: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest()
