"""How wrong a learning rate may be: the width of the range of rates that are nearly as good as the best."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, stdev

from pipelines.claims.results import DIFFUSION, FLOW_MATCHING
from pipelines.study.outcomes import Outcome, best, learning_rate
from pipelines.study.seeds import Figure, jackknife

NEARLY_BEST = 1.1  # a learning rate is good whose distance is within 10% of the best


@dataclass(frozen=True)
class Width:
    """Of the good rates around the best.

    Attributes:
        cut_off: the grid ends before the good rates do, so that there are more decades of them than it shows.
        best_at_edge: the best rate of the grid is its first or its last, so that the best of all may lie beyond.
    """

    decades: float
    cut_off: bool
    best_at_edge: bool

    def __str__(self) -> str:
        return f"{'at least ' if self.cut_off else ''}{self.decades:.3g}"


def difference(of_seed: Sequence[Outcome]) -> Figure:
    """Decades of good rates, diffusion's minus flow matching's. A width that is cut off makes it a bound."""

    def without(left_out: int | None) -> float:
        return width(of_seed, DIFFUSION, left_out).decades - width(of_seed, FLOW_MATCHING, left_out).decades

    found = jackknife(without, next(iter(of_seed[0].evaluations.values())).num_sets)
    low = -math.inf if width(of_seed, FLOW_MATCHING).cut_off else found.low
    high = math.inf if width(of_seed, DIFFUSION).cut_off else found.high
    return replace(found, low=low, high=high)


def width(of_seed: Sequence[Outcome], method: str, left_out: int | None = None) -> Width:
    return good_rates(sweep(of_seed, method, left_out))


def sweep(of_seed: Sequence[Outcome], method: str, left_out: int | None = None) -> dict[float, float]:
    """Learning rate -> distance, of one seed, without one of the sample sets."""
    return {learning_rate(one): best(one.evaluations[method], left_out=left_out) for one in of_seed}


def good_rates(distances: Mapping[float, float]) -> Width:
    """The rates around the best that are within 10% of it, straight between those of the grid in logarithms."""
    rates = sorted(distances)
    centre = min(rates, key=lambda rate: distances[rate])
    limit = NEARLY_BEST * distances[centre]
    above = passed(rates[rates.index(centre) :], distances, limit)
    below = passed(rates[rates.index(centre) :: -1], distances, limit)
    return Width(
        decades=math.log10((above or rates[-1]) / (below or rates[0])),
        cut_off=above is None or below is None,
        best_at_edge=centre in (rates[0], rates[-1]),
    )


def passed(rates: Sequence[float], distances: Mapping[float, float], limit: float) -> float | None:
    """Where the distance first exceeds the limit on the way from rate to rate; none where it never does."""
    for inner, outer in pairwise(rates):
        if distances[outer] > limit:
            share = math.log(limit / distances[inner]) / math.log(distances[outer] / distances[inner])
            return inner * math.pow(outer / inner, share)
    return None


def luck_of_initialisation(outcomes: Sequence[Outcome], method: str) -> float:
    """Standard deviation, over the seeds, of the logarithm of the distance at the rate that is best on average."""
    by_rate: dict[float, list[float]] = {}
    for one in outcomes:
        by_rate.setdefault(learning_rate(one), []).append(math.log(best(one.evaluations[method])))
    return stdev(min(by_rate.values(), key=fmean))
