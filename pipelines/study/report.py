"""What a study's trials say together: `python -m pipelines.study.report <study> <checkout>`.

It runs where the study's first trial has just been: the page's pictures are that trial's.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipelines import further_stages, params, stage
from pipelines.claims.comparison import compare
from pipelines.claims.judge import judge_study
from pipelines.claims.outcomes import MAIN, Outcome
from pipelines.claims.results import read
from pipelines.claims.words import finding
from pipelines.program import run
from pipelines.ranking import rank
from pipelines.report import Contents, files
from pipelines.report.page import Several
from pipelines.study import collect, plan
from pipelines.study.plan import Trial
from pipelines.study.plots import plots


def main(name: str, root: Path) -> None:
    trials = plan.trials(plan.load(name))
    report = contents(name, root, trials, collect.outcomes(root, name, trials))
    folder = collect.reports(root, name)
    report.comparison.save(folder / "comparison.json")
    files.save(report, folder)
    for claim in report.comparison.claims:
        print(f"{claim.id}: {finding(claim)}")


def contents(name: str, root: Path, trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> Contents:
    """The first trial's page, with the claims and plots of all."""
    settings = params.load()
    results = read(list(settings.methods), settings.compare, further=further_stages.asked(settings))
    ranking = rank(results.evaluations, settings.register_.metric, settings.register_.nfe)
    one = compare(settings, results, ranking, stage.declared("compare").data_md5)
    of_first = files.gather(settings, one.model_copy(update={"claims": judge_study(outcomes)}), results, ranking)
    seeds = sorted({outcome.seed for outcome in outcomes if outcome.arm == MAIN})
    hours = sum(record.seconds for record in collect.records(root, name, trials)) / 3600
    facts = [
        ("study", f"{name}: {len(outcomes)} trials in {hours:.1f} h, training seeds {', '.join(map(str, seeds))}"),
        *of_first.facts,
    ]
    return replace(of_first, facts=facts, several=Several(f"{len(seeds)} trainings each", plots(outcomes)))


if __name__ == "__main__":
    run(lambda: main(sys.argv[1], Path(sys.argv[2])))
