"""Stage compare, second half: all that was measured, for people (report.html) and for programs (comparison.json)."""

import csv
import json
from pathlib import Path

from pipelines import further_stages, params, probe, stage
from pipelines.claims.comparison import compare
from pipelines.claims.distances import best_row
from pipelines.claims.results import Results, read
from pipelines.program import run
from pipelines.project import METRICS, REPORTS, whole_file
from pipelines.ranking import Ranking, rank
from pipelines.report import files
from pipelines.schemas.comparison import MethodSummary
from pipelines.schemas.evaluation import Evaluation


def main() -> None:
    """Both halves as one command: what is edited between two would be found by neither of them."""
    with stage.running("compare") as me:
        probe.measure(me)
        judge_all(me)


def judge_all(me: stage.Stage) -> None:
    """Second half: the claims, the summary and the report, from what lies in metrics/."""
    settings = params.load()
    results = read(list(settings.methods), settings.compare, further=further_stages.asked(settings))
    ranking = rank(results.evaluations, settings.register_.metric, settings.register_.nfe)
    comparison = compare(settings, results, ranking, me.data_md5)
    report = files.gather(settings, comparison, results, ranking)
    stage.require_unchanged(me)
    comparison.save(REPORTS / "comparison.json")
    save_summary(results, ranking, METRICS / "summary.json")
    save_distances(results.evaluations, REPORTS / "distance.csv")
    files.save(report, REPORTS)
    winner = ranking[0][1]
    print(f"{comparison.winner} is best by {comparison.metric} at {winner.nfe} evaluations")


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


if __name__ == "__main__":
    run(main)
