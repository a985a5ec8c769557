"""What a run shows on its Prefect page."""

from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows import summary
from pipelines.project import REPORTS
from pipelines.schemas import Comparison
from pipelines.study.collect import STUDIES


def publish(root: Path) -> None:
    comparison = Comparison.load(root / REPORTS / "comparison.json")
    create_table_artifact(summary.rows(root), key="comparison", description=summary.measured(comparison))
    create_markdown_artifact(markdown(comparison), key="report", description="What the measurement says of each claim")


def publish_study(name: str, comparison: Comparison) -> None:
    key = f"study-{name}".replace("_", "-").lower()
    create_markdown_artifact(
        markdown(comparison, STUDIES / name), key=key, description="What the trainings together say of each claim"
    )


def markdown(comparison: Comparison, folder: Path = REPORTS) -> str:
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
    return "\n".join([*lines, "", f"With plots and sample grids: `{folder / 'report.html'}`, in the project's folder."])
