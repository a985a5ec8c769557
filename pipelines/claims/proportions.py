"""Intervals for proportions and their differences."""

import math
from statistics import NormalDist

from fm.metrics.intervals import Interval


def difference_of_proportions(own: float, other: float, count: int, confidence: float) -> Interval:
    """Newcombe's interval (1998, method 10) for the difference of two proportions of `count` each.

    It takes the two for independent; they share their noise, so the truth is tighter, if anything.
    """
    (own_low, own_high), (other_low, other_high) = (wilson(each, count, confidence) for each in (own, other))
    difference = own - other
    return Interval(
        difference,
        difference - math.hypot(own - own_low, other_high - other),
        difference + math.hypot(own_high - own, other - other_low),
    )


def wilson(found: float, count: int, confidence: float) -> tuple[float, float]:
    z = normal_quantile(confidence)
    centre = (found + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(found * (1 - found) / count + z**2 / (4 * count**2))
    return min(found, centre - half), max(found, centre + half)


def normal_quantile(confidence: float) -> float:
    """How many standard deviations a normal interval of this confidence reaches to either side."""
    return NormalDist().inv_cdf((1 + confidence) / 2)
