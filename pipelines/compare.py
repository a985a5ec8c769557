"""Stage compare, second half: all that was measured, for people (report.html) and for programs (comparison.json)."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

from fm.data.prepared import Prepared
from fm.errors import TryLater, UserError
from pipelines import params, probe, stage
from pipelines.claims.distances import best_row
from pipelines.claims.judge import judge
from pipelines.claims.results import Ranking, Results, rank, read
from pipelines.params import Params
from pipelines.program import run
from pipelines.project import CURVES, METRICS, PREPARED, REPORTS, SAMPLES, whole_file
from pipelines.records import provenance, tracking
from pipelines.registry.versions import asking
from pipelines.report import Contents, markdown, render
from pipelines.report.pictures import grid_of_real
from pipelines.report.plots import Curve
from pipelines.schemas.comparison import Comparison, MethodSummary
from pipelines.schemas.evaluation import Evaluation


def main() -> None:
    """Both halves as one command: what is edited between two would be found by neither of them."""
    with stage.running("compare") as me:
        probe.measure(me)
        judge_all(me)


def judge_all(me: stage.Stage) -> None:
    """Second half: the claims, the summary and the report, from what lies in metrics/."""
    settings = params.load()
    results = read(list(settings.methods))
    ranking = rank(results.evaluations, settings.register_.metric, settings.register_.nfe)
    comparison = compare(settings, results, ranking, me.data_md5)
    told = contents(settings, comparison, results, ranking)
    stage.require_unchanged(me)
    comparison.save(REPORTS / "comparison.json")
    save_summary(results, ranking, METRICS / "summary.json")
    save_distances(results.evaluations, REPORTS / "distance.csv")
    save_report(told)
    winner = ranking[0][1]
    print(f"{comparison.winner} is best by {comparison.metric} at {winner.nfe} evaluations")


def compare(settings: Params, results: Results, ranking: Ranking, data_md5: str) -> Comparison:
    winner = ranking[0][0]
    evaluation = results.evaluations[winner]
    return Comparison(
        dataset=settings.dataset.name,
        extractor=evaluation.extractor,
        reference=evaluation.reference,
        num_images=evaluation.num_images,
        num_sets=evaluation.num_sets,
        floor=evaluation.floor,
        metric=settings.register_.metric,
        nfe=settings.register_.nfe,
        winner=winner,
        data_md5=data_md5,
        claims=judge(results),
    )


def save_summary(results: Results, ranking: Ranking, path: Path) -> None:
    summaries = {}
    for method, row in ranking:
        best, probe = best_row(results.evaluations[method]), results.probes.methods[method]
        summaries[method] = MethodSummary(
            solver=row.solver,
            nfe=row.nfe,
            distance=row.distance,
            best_distance=best.distance,
            best_nfe=best.nfe,
            seconds_per_image=probe.seconds_per_image(row),
            seconds_per_step=probe.seconds_per_step,
            peak_memory_bytes=results.train[method].peak_memory_bytes,
        ).model_dump()
    with whole_file(path) as partial:
        partial.write_text(json.dumps(dict(sorted(summaries.items())), indent=2) + "\n", encoding="utf-8")


def save_distances(evaluations: dict[str, Evaluation], path: Path) -> None:
    """One line a row, for `dvc plots`."""
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["method", "solver", "nfe", "distance", "low", "high"])
        for method, evaluation in evaluations.items():
            for row in sorted(evaluation.rows, key=lambda row: (row.solver, row.nfe)):
                lines.writerow([method, row.solver, row.nfe, row.distance, row.distance_low, row.distance_high])


def contents(settings: Params, comparison: Comparison, results: Results, ranking: Ranking) -> Contents:
    prepared = Prepared.open(PREPARED)
    return Contents(
        comparison=comparison,
        results=results,
        ranking=ranking,
        curves={method: read_curve(CURVES / f"{method}.csv") for method in settings.methods},
        real=grid_of_real(prepared.train.images, prepared.train.labels, prepared.num_classes),
        label_names=list(prepared.label_names),
        samples=SAMPLES,
        facts=facts(settings, comparison),
    )


def save_report(told: Contents) -> None:
    """The same for people: a page, and a text for a pull request."""
    for name, text in (("report.html", render(told)), ("report.md", markdown(told))):
        with whole_file(REPORTS / name) as partial:
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


if __name__ == "__main__":
    run(main)
