"""What the trials of a study have measured, made comparable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from pipelines.claims.distances import all_extrapolated
from pipelines.claims.results import Results
from pipelines.params import Roles
from pipelines.schemas.evaluation import Evaluation, EvaluationRow
from pipelines.schemas.train import TrainMetrics

MAIN = "main"
"""The arm of a study that says what one run says."""


@dataclass(frozen=True)
class Outcome:
    """What a trial has measured.

    Attributes:
        arm: the study's, which a trial belongs to.
        seed: of its trainings.
        settings: dotted keys of params.yaml, as the study says them.
        results: of a trial that compares, else none.
    """

    arm: str
    seed: int
    settings: Mapping[str, Any]
    roles: Roles
    train: Mapping[str, TrainMetrics]
    evaluations: dict[str, Evaluation]
    results: Results | None


def alike(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Without any extrapolated distance where ratios can't be taken of all of them (all_extrapolated)."""
    if all_extrapolated(evaluation for one in outcomes for evaluation in one.evaluations.values()):
        return outcomes
    return [raw(one) for one in outcomes]


def raw(outcome: Outcome) -> Outcome:
    evaluations = {method: raw_of(evaluation) for method, evaluation in outcome.evaluations.items()}
    results = outcome.results and replace(outcome.results, evaluations=evaluations)
    return replace(outcome, evaluations=evaluations, results=results)


def raw_of(evaluation: Evaluation) -> Evaluation:
    rows, along = (
        [figure.model_copy(update={"distance_infinity_sets": []}) for figure in part]
        for part in (evaluation.rows, evaluation.along)
    )
    return evaluation.model_copy(update={"rows": rows, "along": along})


def share_sets(outcomes: Sequence[Outcome]) -> bool:
    """Whether trainings of several seeds were measured by the same noise, labels and real images, as those of older
    files were, which don't say."""
    used = {evaluation.seed for one in outcomes for evaluation in one.evaluations.values()}
    return None in used or len(used) < len({one.seed for one in outcomes})


def best(evaluation: Evaluation, nfe: int | None = None, left_out: int | None = None) -> float:
    """The distance of the best sampler, of those with so many evaluations if given, without one of the sample sets."""
    rows = [row for row in evaluation.rows if nfe is None or row.nfe == nfe]
    return min(distance(row, left_out) for row in rows)


def distance(row: EvaluationRow, left_out: int | None = None) -> float:
    """Extrapolated to infinitely many images, if `alike` has left that."""
    sets = row.distance_infinity_sets or row.distance_sets
    return fmean(value for number, value in enumerate(sets) if number != left_out)


def learning_rate(outcome: Outcome) -> float:
    return float(outcome.settings["train.learning_rate"])
