"""Distances of two methods beside each other: paired by sample sets, and freed of their common bias."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from fm.metrics.intervals import Interval, mean_interval
from pipelines.claims.measurement import ONE_SEED
from pipelines.claims.results import Results
from pipelines.schemas.evaluation import Evaluation, EvaluationRow, Snapshot, distance_key

Figure = TypeVar("Figure", EvaluationRow, Snapshot)

EXTRAPOLATED = {
    "jackknife": "by a jackknife over the sets",
    "halves": "from each set and its halves, which reads low where a set has few images more than features",
}


def best_row(evaluation: Evaluation) -> EvaluationRow:
    return min(evaluation.rows, key=lambda row: row.distance)


def corrected(results: Results) -> tuple[Evaluation, Evaluation]:
    """Ours and the baseline, each set's distance replaced by that of infinitely many images; or as they are.

    The bias of a Frechet distance is much the same for both and shrinks their ratio, so ratios are taken without it
    where that can be done for both.
    """
    ours, theirs = alike(results.pair)
    return ours, theirs


def alike(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """All with the distances of infinitely many images, or none."""
    return [at_infinity(each) for each in evaluations] if all_extrapolated(evaluations) else list(evaluations)


def all_extrapolated(evaluations: Iterable[Evaluation]) -> bool:
    """Whether every set of every figure has an extrapolated distance above 0, fit for ratios. If not, none
    may be used: one beside another's raw distance would say much of the bias and nothing of the methods."""
    figures = (figure for each in evaluations for part in (each.rows, each.along) for figure in part)
    return all(figure.distance_infinity_sets and min(figure.distance_infinity_sets) > 0 for figure in figures)


def at_infinity(evaluation: Evaluation) -> Evaluation:
    rows, along = of_infinitely_many(evaluation.rows), of_infinitely_many(evaluation.along)
    return evaluation.model_copy(update={"rows": rows, "along": along})


def of_infinitely_many(figures: Sequence[Figure]) -> list[Figure]:
    """The same with the distances of infinitely many images."""
    return [each.model_copy(update={"distance_sets": each.distance_infinity_sets}) for each in figures]


def reduction(ours: list[EvaluationRow], theirs: list[EvaluationRow], confidence: float) -> Interval:
    return mean_interval(reductions(ours, theirs), confidence)


def reductions(ours: list[EvaluationRow], theirs: list[EvaluationRow]) -> list[float]:
    """Set by set."""
    return [1 - own / other for own, other in zip(held_out(ours), held_out(theirs), strict=True)]


def held_out(rows: Sequence[EvaluationRow], costs: Sequence[Sequence[float]] = ()) -> list[float]:
    """The best row's distance, set by set.

    The row is chosen on all the other sets: whoever picks the smallest of several noisy figures and
    reports that same figure flatters the method with more rows.

    Args:
        costs: of each row, set by set, by which it is chosen; the distances themselves if not given.
    """
    chosen_by = costs or [row.distance_sets for row in rows]

    def elsewhere(row: int, k: int) -> float:
        return sum(chosen_by[row]) - chosen_by[row][k]

    sets = range(len(rows[0].distance_sets))
    best = [min(range(len(rows)), key=lambda row: elsewhere(row, k)) for k in sets]
    return [rows[row].distance_sets[k] for k, row in enumerate(best)]


def difference(ours: Sequence[EvaluationRow], theirs: Sequence[EvaluationRow], confidence: float) -> Interval:
    """By how much the distance of the best of `theirs` exceeds that of the best of `ours`, each chosen on the other
    sets; set k of all started from the same noise."""
    pairs = zip(held_out(ours), held_out(theirs), strict=True)
    return mean_interval([other - own for own, other in pairs], confidence)


def protocol(results: Results) -> str:
    ours, _ = results.pair
    return (
        f"{ONE_SEED}; {distance_key(ours.extractor)}, reference: {ours.reference}; {ours.num_sets} independent sets of "
        f"{ours.num_images} images paired by noise, {ours.confidence:.0%} t-interval over the sets; "
        f"{correction(results.pair)}"
    )


def correction(evaluations: Sequence[Evaluation]) -> str:
    """What is done about the bias of few images, for all of them alike."""
    one = evaluations[0]
    if not all_extrapolated(evaluations):
        return f"biased upwards at so few images (floor {one.floor:.3g})"
    return (
        f"extrapolated to infinitely many images {EXTRAPOLATED[one.extrapolation]} (floor at {one.num_images} images "
        f"{one.floor:.3g})"
    )
