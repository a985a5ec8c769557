"""Intervals from independent measurements."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A mean and the ends of its confidence interval.

    >>> mean, low, high = mean_interval([4.0, 5.0, 6.0])
    >>> round(low, 2), mean, round(high, 2)
    (2.52, 5.0, 7.48)
    """

    mean: float
    low: float
    high: float


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's t interval for the mean of independent values, at least two.

    For distances of independent sample sets. A percentile bootstrap of a Frechet distance would be biased upwards
    and can miss its own point.
    """
    from scipy.special import stdtrit  # takes a moment, and scipy.stats, which asks it too, a second

    if len(values) < 2:
        raise ValueError(f"an interval needs at least 2 independent values, not {len(values)}")
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    reach = float(stdtrit(len(values) - 1, 0.5 + confidence / 2)) * error
    return Interval(mean, mean - reach, mean + reach)


def share_interval(shares: Sequence[float], confidence: float = 0.95) -> Interval:
    """The same of shares, which end at 0 and 1.

    >>> mean, low, high = share_interval([0.9, 1.0])
    >>> round(low, 2), mean, high
    (0.31, 0.95, 1.0)
    """
    mean, low, high = mean_interval(shares, confidence)
    return Interval(mean, max(low, 0.0), min(high, 1.0))
