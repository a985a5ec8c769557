"""What the earlier stages have measured, read back: every method under one protocol."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from fm.errors import UserError
from pipelines.project import METRICS
from pipelines.schemas.evaluation import Evaluation, EvaluationRow
from pipelines.schemas.features import FeatureMetrics
from pipelines.schemas.probes import Probes
from pipelines.schemas.schema import Schema
from pipelines.schemas.train import TrainMetrics

S = TypeVar("S", bound=Schema)

FLOW_MATCHING = "flow_matching"
DIFFUSION = "diffusion"

Ranking = list[tuple[str, EvaluationRow]]


@dataclass(frozen=True)
class Results:
    """What the earlier stages measured, method by method."""

    train: dict[str, TrainMetrics]
    evaluations: dict[str, Evaluation]
    probes: Probes
    classifier_accuracy: float | None


def read(methods: Sequence[str], metrics: Path = METRICS) -> Results:
    """The metrics of these methods and of no other: a file of a removed method may still lie there."""
    return Results(
        train=read_trainings(methods, metrics),
        evaluations=read_evaluations(methods, metrics),
        probes=load(Probes, metrics / "probes.json"),
        classifier_accuracy=load(FeatureMetrics, metrics / "features.json").test_accuracy,
    )


def read_trainings(methods: Sequence[str], metrics: Path = METRICS) -> dict[str, TrainMetrics]:
    return {method: load(TrainMetrics, metrics / "train" / f"{method}.json") for method in methods}


def read_evaluations(methods: Sequence[str], metrics: Path = METRICS) -> dict[str, Evaluation]:
    """What the evaluate stages of these methods found. Raises UserError if it cannot be compared."""
    evaluations = {method: load(Evaluation, metrics / "evaluate" / f"{method}.json") for method in methods}
    require_one_protocol(evaluations)
    return evaluations


def load(schema: type[S], path: Path) -> S:
    try:
        return schema.load(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: `dvc repro` makes it") from None
    except (ValidationError, json.JSONDecodeError, KeyError) as error:
        first = " ".join(str(error).split())
        raise UserError(f"{path} is not what this version writes ({first}): `dvc repro` makes it anew") from None


def require_one_protocol(evaluations: dict[str, Evaluation]) -> None:
    """Figures of another extractor, reference or sample count stand for something else.

    Raises:
        UserError: names the first field in which two methods differ.
    """
    first, *others = evaluations
    for other in others:
        for field in ("extractor", "reference", "num_images", "num_sets", "confidence", "seed", "extrapolation"):
            one, two = getattr(evaluations[first], field), getattr(evaluations[other], field)
            if one != two:
                raise UserError(
                    f"not comparable: {field} is {one!r} for {first} and {two!r} for {other}; evaluate both again"
                )


def rank(evaluations: dict[str, Evaluation], metric: str, nfe: int) -> Ranking:
    """Every method's best row with `nfe` evaluations, the best method first; of equals, the first in params.yaml."""
    rows = {}
    for method, evaluation in evaluations.items():
        if all(row.nfe != nfe for row in evaluation.rows):
            have = ", ".join(str(count) for count in sorted({row.nfe for row in evaluation.rows}))
            raise UserError(
                f"register.nfe = {nfe}: {method} has no row with that many evaluations; it has rows with {have} "
                f"(methods.{method}.samplers)"
            )
        try:
            rows[method] = evaluation.best(metric, nfe)
        except LookupError as error:
            raise UserError(str(error.args[0])) from None
    return sorted(rows.items(), key=lambda item: evaluations[item[0]].cost(item[1], metric))
