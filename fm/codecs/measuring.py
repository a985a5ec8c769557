"""Mean and deviation of data, measured part by part."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from fm.codecs.codec import Codec
from fm.data.rows import Rows, Some, evenly
from fm.noise import Draws

CHUNK = 1000
"""How many data are encoded at a time while they are measured, at most."""
MOST_NUMBERS = CHUNK * 64 * 64 * 3
"""How many numbers they have together, at most: 100 MB as doubles."""
ENOUGH = 10**9
"""Numbers by which the scale is known to more digits than anything depends on, of CHUNK data at least."""


class Moments:
    """Mean and standard deviation of numbers that come in parts, channel by channel.

    >>> moments = Moments(channels=1)
    >>> moments.add(np.array([[1.0], [3.0]]))
    >>> moments.mean(), moments.deviation()
    (array([2.]), array([1.]))
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.sum, self.squares = np.zeros(channels), np.zeros(channels)

    def add(self, data: NDArray[np.float64]) -> None:
        """Data (B, C, ...)."""
        by_channel = np.moveaxis(data, 1, 0).reshape(len(self.sum), -1)
        self.count += by_channel.shape[1]
        self.sum += by_channel.sum(1)
        self.squares += (by_channel**2).sum(1)

    def mean(self) -> NDArray[np.float64]:
        return self.sum / self.count

    def deviation(self) -> NDArray[np.float64]:
        return np.sqrt(np.maximum(self.squares / self.count - self.mean() ** 2, 0))


def measured(codec: Codec, rows: Rows) -> Codec:
    """The codec with the scale of these data, or of ENOUGH of them; with its own where all their numbers are equal."""
    moments, numbers = Moments(1), prod(codec.stored)
    rows = Some(rows, evenly(len(rows), max(ENOUGH // numbers, CHUNK)))
    for some in chunks(len(rows), numbers):
        encoded = codec.encode(rows[some]["data"], draws_of(some))
        moments.add(encoded.double().numpy().reshape(len(some), 1, -1))
    return codec.changed(scale=rounded(moments.deviation()[0]) or codec.scale)


def draws_of(rows: NDArray[np.int64]) -> Draws:
    """What a codec draws by while data are measured: as in training, where it draws too."""
    return Draws(0, range(int(rows[0]), int(rows[-1]) + 1))


def chunks(count: int, numbers: int) -> list[NDArray[np.int64]]:
    """Rows that are measured together, of data of so many numbers each."""
    size = min(CHUNK, max(MOST_NUMBERS // numbers, 1))
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


def rounded(value: float) -> float:
    """To six digits, which every machine finds alike."""
    return float(f"{value:.6g}")
