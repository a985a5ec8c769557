"""The files that the report is made from, and those that it is written to."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fm import sheets
from fm.errors import TryLater, UserError
from fm.pictures import shown
from pipelines import stage
from pipelines.claims.results import Results
from pipelines.dataset import for_training, opened
from pipelines.params import Params
from pipelines.project import CURVES, SAMPLES, whole_file
from pipelines.ranking import Ranking
from pipelines.records import provenance, tracking
from pipelines.registry.versions import asking
from pipelines.report.conditions import conditions
from pipelines.report.markdown import markdown
from pipelines.report.page import Contents, render
from pipelines.report.pictures import colours, grid_of_real, rows_of_real
from pipelines.report.plots import Curve
from pipelines.schemas.comparison import Comparison


def gather(settings: Params, comparison: Comparison, results: Results, ranking: Ranking) -> Contents:
    """What is shown of a comparison, from the artifacts of its stages. Raises UserError: one of them is missing."""
    prepared = opened()
    real, examples = shown(prepared.train, prepared.codec), for_training(settings, prepared).conditioner.examples
    labels = prepared.train.column("label") if "label" in prepared.train.kinds else np.zeros(len(real), np.int64)
    classes = len(prepared.label_names) if examples == prepared.label_names else 0
    rows = rows_of_real(labels, classes)
    return Contents(
        comparison=comparison,
        results=results,
        ranking=ranking,
        curves={method: read_curve(CURVES / f"{method}.csv") for method in settings.methods},
        real=grid_of_real(real, rows, classes),
        real_film=sheets.film(prepared.train[rows]["data"], prepared.codec, sheets.columns(classes)),
        colours=colours(prepared.codec),
        examples=list(examples),
        samples=SAMPLES,
        facts=facts(settings, comparison),
        conditions=conditions(settings.methods, results.train, settings.compare.ours),
    )


def save(contents: Contents, folder: Path) -> None:
    """The report as a page, and as a text for a pull request."""
    for name, text in (("report.html", render(contents)), ("report.md", markdown(contents))):
        with whole_file(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")


def facts(settings: Params, comparison: Comparison) -> list[tuple[str, str]]:
    """What identifies the report. Only the report may carry commit and date."""
    return [
        ("seeds", f"training {settings.train.seed}, sampling {settings.evaluate.seed}"),
        ("data", f"{comparison.dataset}, md5 {comparison.data_md5}"),
        ("commit", commit()),
        ("MLflow runs", "; ".join(mlflow_runs(settings)) or "none of this store"),
        ("made", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
    ]


def mlflow_runs(settings: Params) -> list[str]:
    """The runs that trained and evaluated each method."""
    stages = [f"{name}@{method}" for method in settings.methods for name in ("train", "evaluate")]
    try:
        with asking():
            found = {name: tracking.finished_run(stage.declared(name), settings.dataset.name) for name in stages}
    except TryLater as error:  # no reason to have no report
        print(error, flush=True)
        return ["MLflow did not answer"]
    return [f"{name} {run}" for name, run in found.items() if run is not None]


def commit() -> str:
    changed = provenance.uncommitted_patch() is not None
    return provenance.commit() + (", with uncommitted changes" if changed else "")


def read_curve(path: Path) -> Curve:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: `dvc repro` makes it") from None
    return Curve([float(line["images_seen"]) for line in lines], [float(line["loss"]) for line in lines])
