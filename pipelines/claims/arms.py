"""What the claims have in common that only several trainings of a study's arm can decide."""

import math
from collections.abc import Sequence
from statistics import fmean

from fm.metrics.intervals import Interval
from pipelines.claims.distances import correction
from pipelines.claims.outcomes import Outcome, best, share_sets
from pipelines.claims.seeds import Figure, combine, from_logarithms, interval_over, jackknife, listed
from pipelines.schemas.evaluation import distance_key


def log_ratio(outcome: Outcome, above: str, below: str, nfe: int | None = None) -> Figure:
    """Logarithm of the ratio of two methods' distances, each by its best sampler."""
    over, under = outcome.evaluations[above], outcome.evaluations[below]

    def without(left_out: int | None) -> float:
        return math.log(best(over, nfe, left_out) / best(under, nfe, left_out))

    return jackknife(without, over.num_sets)


def ratio(each: Sequence[Figure], outcomes: Sequence[Outcome]) -> Interval:
    return from_logarithms(combine(each, share_sets(outcomes)))


def one_by_one(each: Sequence[Figure], outcomes: Sequence[Outcome]) -> str:
    """Ratios of each seed, and of each sample set if all seeds have the same."""
    seeds = f"Seed by seed: {listed(math.exp(one.value) for one in each)}."
    if not share_sets(outcomes):
        return seeds
    of_sets = (fmean(of_set) for of_set in zip(*(one.by_set for one in each), strict=True))
    return f"{seeds} Set by set, over the seeds: {listed(map(math.exp, of_sets))}."


def protocol(outcomes: Sequence[Outcome]) -> str:
    evaluations = [evaluation for one in outcomes for evaluation in one.evaluations.values()]
    one = evaluations[0]
    seeds = {outcome.seed for outcome in outcomes}
    return (
        f"{interval_over(len(seeds), share_sets(outcomes))}; {distance_key(one.extractor)}, {correction(evaluations)}; "
        f"reference: {one.reference}; {one.num_sets} sets of {one.num_images} images"
    )


def other(outcomes: Sequence[Outcome]) -> str | None:
    """The method that an arm has beside ours; none unless every trial has ours and the same one."""
    found = {tuple(name for name in one.evaluations if name != one.roles.ours) for one in outcomes}
    if len(found) != 1 or any(one.roles.ours not in one.evaluations for one in outcomes):
        return None
    (names,) = found
    return names[0] if len(names) == 1 else None
