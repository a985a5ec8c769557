"""How wrong a learning rate may be: the width of the range of rates that are nearly as good as the best.

The claim and the arm of a study are called touchiness.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, stdev

from pipelines.claims.arms import protocol
from pipelines.claims.claim import Definition
from pipelines.claims.measurement import Measurement, not_measured
from pipelines.claims.outcomes import Outcome, best, learning_rate, share_sets
from pipelines.claims.seeds import Figure, combine, jackknife
from pipelines.claims.units import DECADES
from pipelines.words import capital, method_in_text

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


def sensitivity(outcomes: Sequence[Outcome]) -> Measurement:
    """Decades of learning rates within 10% of the best distance, the baseline's minus ours."""
    ours, baseline = outcomes[0].roles.ours, outcomes[0].roles.baseline
    if any(name not in one.evaluations for one in outcomes for name in (ours, baseline)):
        return not_measured(f"the arm needs the methods {ours} and {baseline}, in every trial")
    seeds = sorted({one.seed for one in outcomes})
    by_seed = [[one for one in outcomes if one.seed == seed] for seed in seeds]
    own, other = ([width(of_seed, method) for of_seed in by_seed] for method in (ours, baseline))
    name, other_name = method_in_text(ours), method_in_text(baseline)
    rates = [f"{rate:g}" for rate in sorted({learning_rate(one) for one in outcomes})]
    spread = {method: luck_of_initialisation(outcomes, method) for method in (ours, baseline)}
    return Measurement(
        *combine([difference(of_seed) for of_seed in by_seed], share_sets(outcomes)),
        f"{protocol(outcomes)}; learning rates {', '.join(rates)}, straight between them in logarithms; each at its "
        "best sampler",
        f"{cut_off(own, other)}{capital(name)} {', '.join(map(str, own))} decades, {other_name} "
        f"{', '.join(map(str, other))}, seed by seed. At its best rate the distance varies between seeds by "
        f"{spread[ours]:.1%} with {name} and {spread[baseline]:.1%} with {other_name} (standard deviation).",
    )


def cut_off(own: Sequence[Width], other: Sequence[Width]) -> str:
    """What the end of the grid does to the claim; nothing where it lies beyond all good rates."""
    both = [*own, *other]
    short, at_edge = sum(one.cut_off for one in both), sum(one.best_at_edge for one in both)
    if not short:
        return ""
    one_sided = any(one.cut_off for one in own) != any(one.cut_off for one in other)
    return (
        f"The grid is too small: it cuts off {short} of {len(both)} ranges of good rates, and the best rate is its "
        f"first or last in {at_edge}. Such a range is wider than it seems, so the difference "
        f"{'is a bound' if one_sided else 'has no interval'}. "
    )


def difference(of_seed: Sequence[Outcome]) -> Figure:
    """Decades of good rates, the baseline's minus ours. A width that is cut off makes it a bound."""
    ours, baseline = of_seed[0].roles.ours, of_seed[0].roles.baseline

    def without(left_out: int | None) -> float:
        return width(of_seed, baseline, left_out).decades - width(of_seed, ours, left_out).decades

    found = jackknife(without, next(iter(of_seed[0].evaluations.values())).num_sets)
    low = -math.inf if width(of_seed, ours).cut_off else found.low
    high = math.inf if width(of_seed, baseline).cut_off else found.high
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
            way = math.log(limit / distances[inner]) / math.log(distances[outer] / distances[inner])
            return inner * math.pow(outer / inner, way)
    return None


def luck_of_initialisation(outcomes: Sequence[Outcome], method: str) -> float:
    """Standard deviation, over the seeds, of the logarithm of the distance at the rate that is best on average."""
    by_rate: dict[float, list[float]] = {}
    for one in outcomes:
        by_rate.setdefault(learning_rate(one), []).append(math.log(best(one.evaluations[method])))
    return stdev(min(by_rate.values(), key=fmean))


CLAIM = Definition(
    "touchiness",
    "{Ours} forgives a wrong learning rate less than {baseline} does.",
    "a narrower range of good rates",
    unit=DECADES,
    better="up",
    null=0,
    threshold=0,
    of_arm=sensitivity,
)
