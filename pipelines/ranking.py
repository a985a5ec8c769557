"""Which method is best, by what the evaluate stages have measured of all of them under one protocol."""

from collections.abc import Sequence
from pathlib import Path

from fm.errors import UserError
from pipelines.project import METRICS
from pipelines.schemas.evaluation import Evaluation, EvaluationRow

PROTOCOL = ("extractor", "reference", "num_images", "num_sets", "confidence", "seed", "extrapolation", "precision")
"""What has to be the same of two evaluations."""

Ranking = list[tuple[str, EvaluationRow]]


def read_evaluations(methods: Sequence[str], metrics: Path = METRICS) -> dict[str, Evaluation]:
    """What the evaluate stages of these methods found. Raises UserError if it cannot be compared."""
    evaluations = {method: Evaluation.of_stage(metrics / "evaluate" / f"{method}.json") for method in methods}
    require_one_protocol(evaluations)
    return evaluations


def require_one_protocol(evaluations: dict[str, Evaluation]) -> None:
    """Figures of another extractor, reference or sample count stand for something else.

    Raises:
        UserError: names the first field in which two methods differ.
    """
    first, *others = evaluations
    for other in others:
        for field in PROTOCOL:
            one, two = getattr(evaluations[first], field), getattr(evaluations[other], field)
            if one != two:
                raise UserError(
                    f"not comparable: {field} is {one!r} for {first} and {two!r} for {other}; evaluate both again"
                )


def rank(evaluations: dict[str, Evaluation], metric: str, nfe: int) -> Ranking:
    """Every method's best row with `nfe` evaluations, the best method first; of equals, the first in params.yaml.

    Raises:
        UserError: a method has no such row, or its rows have no such metric.
    """
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
