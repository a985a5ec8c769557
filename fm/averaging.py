"""Averages of a training's weights whose length is chosen when it is over (post-hoc EMA: Karras et al. 2024, arXiv
2312.02696, section 3 and appendix C).

After n steps an average of some length weighs step m in proportion to m^exponent, its profile; that one's standard
deviation is the length, as a share of n. Two such averages, kept at several steps, span a space in which others lie
nearly; least squares finds them.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST = 0.28
"""The longest average, that of all weights alike, is of length 12^-1/2 = 0.289."""
SHORTEST = 0.01
LEAST_RATIO = 1.5
"""Of a kept length to the next shorter one: nearer ones span little more than one does, and what is between them is had
by shares that float32 cannot hold: up to 29 from pairs this far apart, 48,000 from 0.1 and 0.10001."""
MOMENTS = 16
"""How often along a training each average is kept: of 0.05 and 0.1 those from 0.03 to 0.2 follow within NEAR."""
NEAR = 0.04
"""How far from its profile an average may be, as a share of it, that is made of others."""


class Profile(NamedTuple):
    """Which average: after so many steps, or images, in whatever unit; and its length, the standard deviation of its
    profile as a share of them.

    >>> Profile(step=1000, length=0.1).length
    0.1
    """

    step: float
    length: float


def exponent_of(length: float) -> float:
    """The exponent of a profile of this length: eq. 126, the largest root of a cubic.

    >>> round(exponent_of(0.05), 2), round(exponent_of(0.1), 2)
    (16.97, 6.94)
    """
    inverse = length**-2
    return float(np.roots([1, 7, 16 - inverse, 12 - inverse]).real.max())


def kept(length: float, updates: int) -> float:
    """What an average of so many updates keeps of itself at the next one: eq. 127. The first takes all.

    >>> kept(0.1, 0), round(kept(0.1, 999), 4)
    (0.0, 0.9921)
    """
    return float((1 - 1 / (updates + 1)) ** (exponent_of(length) + 1))


def overlaps(rows: Sequence[Profile], columns: Sequence[Profile]) -> NDArray[np.float64]:
    """Inner products of profiles, (rows, columns): eq. 151.

    >>> overlaps([Profile(1, 0.1)], [Profile(1, 0.1), Profile(2, 0.1)]).round(3).tolist()
    [[4.235, 0.017]]
    """
    a_step, b_step = np.array([[one.step] for one in rows]), np.array([one.step for one in columns])
    a = np.array([[exponent_of(one.length)] for one in rows])
    b = np.array([exponent_of(one.length) for one in columns])
    shrink = (a_step / b_step) ** np.where(a_step < b_step, b, -a)
    found: NDArray[np.float64] = (a + 1) * (b + 1) * shrink / ((a + b + 1) * np.maximum(a_step, b_step))
    return found


def kept_of(lengths: Sequence[float]) -> list[Profile]:
    """What a training keeps of averages of these lengths, in parts of it.

    >>> len(kept_of([0.05, 0.1])), kept_of([0.05, 0.1])[0], kept_of([0.05, 0.1])[-1]
    (32, Profile(step=0.0625, length=0.05), Profile(step=1.0, length=0.1))
    """
    return [Profile(part / MOMENTS, length) for length in lengths for part in range(1, MOMENTS + 1)]


def distance(there: Sequence[Profile], wanted: Profile) -> float:
    """How far from a profile the nearest is that averages add up to, as a share of it: the L2 norm.

    >>> kept = kept_of([0.05, 0.1])
    >>> [round(distance(kept, Profile(1, length)), 3) for length in (0.03, 0.05, 0.2, 0.28)]
    [0.039, 0.0, 0.023, 0.212]
    """
    found, squared = shares(there, wanted), float(overlaps([wanted], [wanted])[0, 0])
    missed = found @ overlaps(there, there) @ found - 2 * found @ overlaps(there, [wanted])[:, 0] + squared
    return math.sqrt(max(float(missed), 0) / squared)  # below 0 by rounding


def shares(there: Sequence[Profile], wanted: Profile) -> NDArray[np.float64]:
    """With which shares averages add up to another, nearly: algorithm 3, whose sum is 1.

    >>> found = shares([Profile(1, 0.05), Profile(1, 0.1), Profile(2, 0.1)], Profile(2, 0.1))
    >>> (found.round(6) + 0.0).tolist()
    [0.0, 0.0, 1.0]
    """
    found = np.linalg.lstsq(overlaps(there, there), overlaps(there, [wanted]), rcond=None)[0][:, 0]
    normalised: NDArray[np.float64] = found / found.sum()
    return normalised
