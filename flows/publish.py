"""What a run shows on its Prefect page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows import summary
from pipelines.claims.words import as_markdown
from pipelines.project import METRICS, REPORTS
from pipelines.schemas.comparison import Comparison
from pipelines.study.collect import STUDIES

if TYPE_CHECKING:
    from pipelines.records.tracking import ParentRun


def to_mlflow(run: "ParentRun", comparison: Comparison, folder: Path, times: Mapping[str, float] | None = None) -> None:
    """Put what was found into the MLflow run that holds the others.

    Args:
        folder: where the report lies.
        times: that stand beside each other there, by name.
    """
    run.keep(
        [folder / name for name in ("comparison.json", "report.html", "report.md")],
        {claim.id: claim.measured for claim in comparison.claims if claim.measured is not None} | dict(times or {}),
        markdown(comparison, "`report.html` is among this run's artifacts."),
    )


def times_in_turn(root: Path) -> dict[str, float]:
    """Of each method: the only times that compare."""
    summaries: dict[str, Any] = json.loads((root / METRICS / "summary.json").read_text(encoding="utf-8"))
    return {
        f"{method}/{name}": one[name]
        for method, one in summaries.items()
        for name in ("seconds_per_image", "seconds_per_step")
        if one[name] is not None
    }


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
    parts = [
        f"**{summary.winner(comparison)}**",
        as_markdown(comparison.claims),
        f"With plots and sample grids: {report}",
    ]
    return "\n\n".join(parts)
