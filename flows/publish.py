"""What a run shows on its Prefect page."""

from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows import summary
from pipelines.project import REPORTS
from pipelines.schemas import Comparison
from pipelines.study.collect import STUDIES


def to_mlflow(run_id: str, comparison: Comparison, folder: Path) -> None:
    """Put what was found into the MLflow run that holds the others.

    Args:
        folder: where the report lies.
    """
    from pipelines import tracking

    tracking.keep(
        run_id,
        [folder / name for name in ("comparison.json", "report.html", "report.md")],
        {claim.id: claim.measured for claim in comparison.claims if claim.measured is not None},
        markdown(comparison, "`report.html` is among this run's artifacts."),
    )


def publish(root: Path) -> None:
    comparison = Comparison.load(root / REPORTS / "comparison.json")
    create_table_artifact(summary.rows(root), key="comparison", description=summary.measured(comparison))
    create_markdown_artifact(
        markdown(comparison, where(REPORTS)), key="report", description="What the measurement says of each claim"
    )


def publish_study(name: str, comparison: Comparison) -> None:
    key = f"study-{name}".replace("_", "-").lower()
    create_markdown_artifact(
        markdown(comparison, where(STUDIES / name)),
        key=key,
        description="What the trainings together say of each claim",
    )


def where(folder: Path) -> str:
    return f"`{folder / 'report.html'}`, in the project's folder."


def markdown(comparison: Comparison, report: str) -> str:
    """The verdicts as a table. `report` says where the whole report is."""
    lines = [
        f"**{summary.winner(comparison)}**",
        "",
        "| claim | the source says | measured | verdict |",
        "|---|---|---|---|",
    ]
    for claim in comparison.claims:
        figures = ["–" if claim.measured is None else f"{claim.measured:.4g} {claim.unit}"]
        if claim.low is not None and claim.high is not None:
            figures.append(f"[{claim.low:.4g}, {claim.high:.4g}]")
        cells = (claim.claim, claim.source_value, " ".join(figures), claim.verdict.replace("_", " "))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, "", f"With plots and sample grids: {report}"])
