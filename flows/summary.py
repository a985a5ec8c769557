"""What came of the pipeline, in plain text: the comparison, the winner, and where to look."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines import words
from pipelines.project import METRICS, REPORTS
from pipelines.schemas.comparison import Comparison
from pipelines.schemas.evaluation import Evaluation, EvaluationRow, distance_key
from pipelines.schemas.probes import Probes

WHERE_TO_LOOK = """\
{report}   the same with plots and sample grids
reports/report.md     its words and figures, for a pull request
make ui               the MLflow UI: runs, charts, the registered model
make prefect-ui       the Prefect pages on this run
.venv/bin/python -m pipelines.generate {options}   {things} from the champion"""

UNCHANGED = "Nothing has changed: no stage had to run."


def text(root: Path) -> str:
    comparison = Comparison.load(root / REPORTS / "comparison.json")
    return "\n\n".join([measured(comparison), aligned(rows(root)), winner(comparison), where_to_look(root, comparison)])


def measured(comparison: Comparison) -> str:
    floor = words.number(comparison.floor)
    return (
        f"{comparison.dataset}: {distance_key(comparison.extractor)} to the {comparison.reference}, "
        f"{comparison.num_sets} sets of {comparison.num_images} {comparison.things} (the test split's own: {floor})"
    )


def winner(comparison: Comparison) -> str:
    return f"Best at {comparison.nfe} network evaluations by {comparison.metric}: {comparison.winner}"


def where_to_look(root: Path, comparison: Comparison) -> str:
    completes = evaluation_of(root, comparison.winner).completion is not None
    given = "--given data.npy " if completes else ""
    file = "images.png" if comparison.things == "images" else "samples.npz"
    options = f"{given}--count 64 --out {file}"
    return WHERE_TO_LOOK.format(report=REPORTS / "report.html", options=options, things=comparison.things)


def evaluation_of(root: Path, method: str) -> Evaluation:
    return Evaluation.load(root / METRICS / "evaluate" / f"{method}.json")


def rows(root: Path) -> list[dict[str, str]]:
    """The comparison as a table: one row for every method and sampler that was compared.

    Methods that are no longer in params.yaml may have left their files.
    """
    probes = Probes.load(root / METRICS / "probes.json").methods
    thing = Comparison.load(root / REPORTS / "comparison.json").thing
    return [
        cells(method, evaluation, row, probes[method].seconds_per_image(row), thing)
        for method in sorted(probes)
        for evaluation in [evaluation_of(root, method)]
        for row in sorted(evaluation.rows, key=lambda row: (row.solver, row.nfe))
    ]


def cells(method: str, evaluation: Evaluation, row: EvaluationRow, seconds: float | None, thing: str) -> dict[str, str]:
    """One row; `seconds` an image or another `thing`, as the methods took them in turn."""
    return {
        "method": method,
        "solver": row.solver,
        "nfe": str(row.nfe),
        distance_key(evaluation.extractor): words.with_interval(row.distance, row.distance_low, row.distance_high),
        "kid": words.number(row.kid),
        f"{thing} takes": words.unless_none(words.duration, seconds),
    }


def aligned(table: Sequence[dict[str, str]]) -> str:
    """Columns under their names, text to the left, numbers to the right."""
    names = list(dict.fromkeys(name for row in table for name in row))
    widths = {name: max(len(name), *(len(row.get(name, "")) for row in table)) for name in names}

    def lines() -> Iterator[str]:
        for row in ({name: name for name in names}, *table):
            padded = (
                row.get(name, "").ljust(widths[name])
                if name in ("method", "solver")
                else row.get(name, "").rjust(widths[name])
                for name in names
            )
            yield "  ".join(padded).rstrip()

    return "\n".join(lines())
