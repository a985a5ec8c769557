"""What it costs a method to come down to a distance, and what is known where it never does."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from fm.metrics.intervals import Interval
from pipelines.claims.distances import Figure
from pipelines.claims.proportions import normal_quantile


def cost_to_reach(rows: Sequence[Figure], cost: Callable[[Figure], float], k: int, target: float) -> float | None:
    """The least cost at which set k's distance is down to `target`; none where it never is.

    Follows the best distance that can be had for a cost or less, straight between samplers in
    logarithms of both. The cheapest row's cost where that row is there already.
    """
    before: tuple[float, float] | None = None
    for row in sorted(rows, key=cost):
        here = (cost(row), row.distance_sets[k])
        if here[1] <= target:
            return crossing(before, here, target) if before else here[0]
        if before is None or here[1] < before[1]:
            before = here
    return None


def crossing(before: tuple[float, float], after: tuple[float, float], target: float) -> float:
    way = math.log(before[1] / target) / math.log(before[1] / after[1])
    return before[0] * math.pow(after[0] / before[0], way)


def bound(why: str, count: int, sets: Sequence[float | None]) -> str:
    """Why a figure is but a bound in so many of its sets; nothing to say in none."""
    return f"{why}, in {count} of {len(sets)} sets." if count else ""


def opened(interval: Interval, at_most: bool, at_least: bool) -> Interval:
    """Without a lower end where the figures are at most what they seem, without an upper end where they are at least.

    A bound is as good for the other end as an exact figure: it errs towards that end.
    """
    low, high = -math.inf if at_most else interval.low, math.inf if at_least else interval.high
    return Interval(interval.mean, low, high)


def widened(interval: Interval, variance: float, confidence: float) -> Interval:
    """The interval of a value that has another, independent error of this variance besides."""
    reach = math.hypot(interval.high - interval.mean, normal_quantile(confidence) * math.sqrt(variance))
    return Interval(interval.mean, interval.mean - reach, interval.mean + reach)


def geometric_mean(values: Sequence[float | None]) -> float:
    return math.exp(fmean(math.log(value) for value in values if value))
