"""Every sampler of a study's main arm, over the seeds: `python -m pipelines.study.table reports/studies/way_over`.

A figure is a mean over the training seeds with half of its Student's t interval over them; of a method that was trained
under one seed it is that training's, over its sample sets.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from fm.errors import UserError
from fm.metrics.intervals import mean_interval
from pipelines.claims.outcomes import MAIN, Outcome
from pipelines.claims.seeds import CONFIDENCE
from pipelines.markup import table
from pipelines.program import run
from pipelines.schemas.evaluation import EvaluationRow, distance_key
from pipelines.study import collect
from pipelines.words import method_name, number, percent, solver_name

Rows = Mapping[tuple[str, str, int], Sequence[EvaluationRow]]
"""Method, sampler and steps -> what each seed measured."""


def main(folder: Path) -> None:
    outcomes = [one for one in collect.kept(folder / "trials") if one.arm == MAIN]
    if not outcomes:
        raise UserError(f"{folder / 'trials'}: there is no trial of a study's arm {MAIN} here ({collect.RECORD})")
    print(page(outcomes))


def page(outcomes: Sequence[Outcome]) -> str:
    """What was measured how, and a line for each sampler."""
    rows = of_each(outcomes)
    evaluation = next(iter(outcomes[0].evaluations.values()))
    title = (
        f"`{distance_key(evaluation.extractor)}` of {evaluation.num_sets} sets of {evaluation.num_images} images to "
        f"the {evaluation.reference}, floor {number(evaluation.floor)}; {CONFIDENCE:.0%} intervals over the seeds"
    )
    also = "precision / recall / recognised"
    lines = [
        (method_name(method), solver_name(sampler), str(one.nfe), f"{len(seeds)}", distance(seeds), others(seeds))
        for (method, sampler, _), seeds in rows.items()
        for one in seeds[:1]
    ]
    return f"{title}\n\n{table(('method', 'sampler', 'evaluations', 'seeds', 'distance', also), lines)}"


def of_each(outcomes: Sequence[Outcome]) -> Rows:
    found: dict[tuple[str, str, int], list[EvaluationRow]] = {}
    for outcome in outcomes:
        for method, evaluation in outcome.evaluations.items():
            for row in evaluation.rows:
                found.setdefault((method, row.solver, row.steps), []).append(row)
    return found


def distance(seeds: Sequence[EvaluationRow]) -> str:
    if len(seeds) == 1:
        return f"{number(seeds[0].distance)} ± {number(seeds[0].distance_high - seeds[0].distance)}"
    mean, _, high = mean_interval([row.distance for row in seeds], CONFIDENCE)
    return f"{number(mean)} ± {number(high - mean)}"


def others(seeds: Sequence[EvaluationRow]) -> str:
    recognised = [row.accuracy for row in seeds if row.accuracy is not None]
    means = (fmean(getattr(row, name) for row in seeds) for name in ("precision", "recall"))
    return " / ".join([*(f"{mean:.2f}" for mean in means), percent(fmean(recognised)) if recognised else "–"])


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.study.table", description="Every sampler of a study's main arm, over its seeds."
    )
    parser.add_argument("folder", type=Path, help="with the study's trials/: reports/studies/NAME, or docs/results")
    return parser


if __name__ == "__main__":
    given = arguments().parse_args()
    run(lambda: main(given.folder))
