"""What a study's trials say together: `python -m pipelines.study.report <study> <checkout>`.

It runs where the study's first trial has just been: the page's pictures are that trial's.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipelines import params, stage
from pipelines.claims.comparison import compare
from pipelines.claims.results import rank, read
from pipelines.program import run
from pipelines.report import Contents, files, words
from pipelines.report.page import Several
from pipelines.report.plots import Line, lines_plot
from pipelines.schemas.evaluation import distance_key
from pipelines.study import collect, plan
from pipelines.study.outcomes import Outcome, alike, distance, learning_rate
from pipelines.study.plan import MAIN, OPTIMAL_TRANSPORT, TOUCHINESS, TRANSFORMERS
from pipelines.study.touchiness import sweep
from pipelines.study.verdicts import judge

SHADES = ("flow_matching", "diffusion", "edm", "ot_cfm", "flow_matching_transformer")

CAPTIONS = {
    MAIN: "How good each method is along its training, by the sampler that is best in the end.",
    TOUCHINESS: "The distance at the end by learning rate, each at its best sampler.",
    OPTIMAL_TRANSPORT: "Flow matching by evaluations, noise and data paired at random and by optimal transport.",
    TRANSFORMERS: "Flow matching by evaluations, with a UNet and with a transformer of about equal compute.",
}


def main(name: str, root: Path) -> None:
    outcomes = collect.outcomes(root, name, plan.trials(plan.load(name)))
    report = contents(name, root, outcomes)
    folder = collect.reports(root, name)
    report.comparison.save(folder / "comparison.json")
    files.save(report, folder)
    for claim in report.comparison.claims:
        print(f"{claim.id}: {words.measured(claim)} ({words.interval(claim)}): {claim.verdict.replace('_', ' ')}")


def contents(name: str, root: Path, outcomes: Sequence[Outcome]) -> Contents:
    """The first trial's page, with the claims and plots of all."""
    settings = params.load()
    results = read(list(settings.methods))
    ranking = rank(results.evaluations, settings.register_.metric, settings.register_.nfe)
    one = compare(settings, results, ranking, stage.declared("compare").data_md5)
    of_first = files.gather(settings, one.model_copy(update={"claims": judge(outcomes)}), results, ranking)
    seeds = sorted({outcome.trial.seed for outcome in outcomes if outcome.trial.arm == MAIN})
    hours = sum(record.seconds for record in collect.records(root, name, [one.trial for one in outcomes])) / 3600
    facts = [
        ("study", f"{name}: {len(outcomes)} trials in {hours:.1f} h, training seeds {', '.join(map(str, seeds))}"),
        *of_first.facts,
    ]
    return replace(of_first, facts=facts, several=Several(f"{len(seeds)} trainings each", plots(outcomes)))


def plots(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """A plot for every arm of the study."""
    drawn = []
    for arm, lines_of in LINES.items():
        chosen = alike([one for one in outcomes if one.trial.arm == arm])
        lines = lines_of(chosen) if chosen else []
        if lines:
            key = distance_key(next(iter(chosen[0].evaluations.values())).extractor)
            title, x, log_x = AXES[arm]
            drawn.append((lines_plot(lines, arm, title, x, key, log_x), CAPTIONS[arm]))
    return drawn


def shade(method: str) -> int:
    """A method has one colour in all plots of the page; those of the user's own share one."""
    return SHADES.index(method) if method in SHADES else len(SHADES)


def along(outcomes: Sequence[Outcome]) -> list[Line]:
    return [
        Line(
            words.method_name(method),
            shade(method),
            one.trial.seed,
            [each.images_seen for each in evaluation.along],
            [each.distance for each in evaluation.along],
        )
        for one in outcomes
        for method, evaluation in one.evaluations.items()
        if evaluation.along
    ]


def by_learning_rate(outcomes: Sequence[Outcome]) -> list[Line]:
    lines = []
    for seed in sorted({one.trial.seed for one in outcomes}):
        of_seed = sorted((one for one in outcomes if one.trial.seed == seed), key=learning_rate)
        for method in of_seed[0].evaluations:
            found = sweep(of_seed, method)
            lines.append(Line(words.method_name(method), shade(method), seed, list(found), list(found.values())))
    return lines


def by_evaluations(outcomes: Sequence[Outcome]) -> list[Line]:
    lines = []
    for one in outcomes:
        for method, evaluation in one.evaluations.items():
            best: dict[int, float] = {}
            for row in sorted(evaluation.rows, key=lambda row: row.nfe):
                best[row.nfe] = min(best.get(row.nfe, float("inf")), distance(row))
            lines.append(
                Line(words.method_name(method), shade(method), one.trial.seed, list(best), list(best.values()))
            )
    return lines


LINES = {
    MAIN: along,
    TOUCHINESS: by_learning_rate,
    OPTIMAL_TRANSPORT: by_evaluations,
    TRANSFORMERS: by_evaluations,
}
AXES = {
    MAIN: ("distance along the training", "images seen", False),
    TOUCHINESS: ("distance by learning rate", "learning rate", True),
    OPTIMAL_TRANSPORT: ("distance by evaluations, with and without optimal transport", "network evaluations", True),
    TRANSFORMERS: ("distance by evaluations, UNet and transformer", "network evaluations", True),
}


if __name__ == "__main__":
    run(lambda: main(sys.argv[1], Path(sys.argv[2])))
