"""One figure from those of several training seeds: by the luck of the trainings and by that of the sample sets."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from fm.metrics.intervals import Interval, mean_interval

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Figure:
    """What the training of one seed gave.

    Attributes:
        low, high: of its interval over the sample sets; infinite where that side is open.
        by_set: what each sample set gave; empty where that is not known.
    """

    value: float
    low: float
    high: float
    by_set: Sequence[float] = ()


def combine(each: Sequence[Figure], shared_sets: bool) -> Interval:
    """The mean over training seeds, at least two, with its interval. An end that is open for one seed is open for all.

    Seeds that were measured by sample sets of their own scatter by the luck of the sets too, so their t-interval has
    both in it. It is at least what the seeds' own intervals leave of their mean: a few can agree by chance, in counted
    shares to the last digit. Where they were measured by the same sets, that luck does not show in their scatter,
    and is added to it.
    """
    seeds = mean_interval([one.value for one in each], CONFIDENCE)
    reach = seeds.high - seeds.mean
    below, above = [one.value - one.low for one in each], [one.high - one.value for one in each]
    if shared_sets:
        to_low, to_high = (math.hypot(reach, luck_in_common(each, side)) for side in (below, above))
    else:
        to_low, to_high = (max(reach, math.hypot(*side) / len(each)) for side in (below, above))
    return Interval(seeds.mean, seeds.mean - to_low, seeds.mean + to_high)


def luck_in_common(each: Sequence[Figure], reaches: Sequence[float]) -> float:
    """How far the mean over seeds may be off by the sets that all of them share: without figures by set, as far as a
    single seed is."""
    if math.inf in reaches or not all(one.by_set for one in each):
        return fmean(reaches)
    sets = mean_interval([fmean(of_set) for of_set in zip(*(one.by_set for one in each), strict=True)], CONFIDENCE)
    return sets.high - sets.mean


def jackknife(figure: Callable[[int | None], float], num_sets: int) -> Figure:
    """A figure of all sample sets together, with its interval from what each of them does to it (Tukey 1958).

    Args:
        figure: of all sets but the one with this number, or of all.
    """
    value = figure(None)
    by_set = [num_sets * value - (num_sets - 1) * figure(left_out) for left_out in range(num_sets)]
    found = mean_interval(by_set, CONFIDENCE)
    reach = found.high - found.mean
    return Figure(value, value - reach, value + reach, by_set)


def in_logarithms(figure: Figure) -> Figure:
    """For what is above 0 and varies by factors."""
    value, low, high, *by_set = map(logarithm, (figure.value, figure.low, figure.high, *figure.by_set))
    return Figure(value, low, high, by_set)


def logarithm(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def from_logarithms(interval: Interval) -> Interval:
    """Open ends stay open."""
    return Interval(*(end if math.isinf(end) else math.exp(end) for end in interval))


def interval_over(seeds: int, shared_sets: bool) -> str:
    """How `combine` makes an interval."""
    beside = (
        "with the luck of the sample sets, which they have in common"
        if shared_sets
        else "no narrower than sampling alone makes it"
    )
    return f"{seeds} training seeds, {CONFIDENCE:.0%} t-interval over them, {beside}"


def listed(figures: Iterable[float]) -> str:
    return ", ".join(f"{figure:.3g}" for figure in figures)
