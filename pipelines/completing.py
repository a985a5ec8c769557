"""How a method completes data of which a part is given, where its network is told one (fm.metrics.completing)."""

import numpy as np

from fm.conditions import Conditioner
from fm.data.prepared import Prepared
from fm.generator import Generator
from fm.metrics.completing import MEMBERS, Completed, complete
from fm.metrics.ensembles import unevenness
from fm.metrics.intervals import mean_interval
from fm.work_queue import ALONE, Workers
from pipelines.params import Evaluate
from pipelines.records import tracking
from pipelines.schemas.evaluation import Completion, EvaluationRow

LEAST = 2
"""Data that an interval takes."""
LABELS = {
    "first_frames": "the first frames",
    "low_resolution": "means of squares",
    "observed": "the values at some points",
}
"""What is given, by the kinds of fm.conditions.given; one's own kind is called as it is."""


def completed(
    generator: Generator, row: EvaluationRow, dataset: Prepared, chosen: Evaluate, workers: Workers = ALONE
) -> Completion | None:
    """By the generator's own sampler, that of this row, drawn together with the other workers; only the first one gets
    it. None where hardly any of the data has anything left to complete."""
    found = complete(generator, dataset.train, dataset.test, chosen.seed, workers)
    if not workers.is_first:
        return None
    if len(found.crps) < LEAST:
        print("not completed: of nearly all data everything is given; a smaller dataset.condition.share", flush=True)
        return None
    completion = written(generator.conditioner, row, found)
    print(told(completion), flush=True)
    return completion


def written(conditioner: Conditioner, row: EvaluationRow, found: Completed) -> Completion:
    score = mean_interval(found.crps)
    ranks = found.ranks.sum(axis=0)
    return Completion(
        sampler=row.sampler,
        nfe=found.nfe,
        part=LABELS.get(conditioner.name, conditioner.name),
        data=len(found.crps),
        members=MEMBERS,
        crps=score.mean,
        crps_low=score.low,
        crps_high=score.high,
        crps_each=found.crps,
        unconditional=float(np.mean(found.unconditional)),
        spread_by_error=found.spread_by_error,
        ranks=[float(share) for share in ranks / ranks.sum()],
        unevenness=unevenness(ranks),
    )


def told(found: Completion) -> str:
    return (
        f"completed from {found.part}: CRPS {found.crps:.3f}, of training data {found.unconditional:.3f}; "
        f"spread by error {found.spread_by_error:.2f}"
    )


def report(run: tracking.StageRun, found: Completion) -> None:
    """Into MLflow."""
    names = "crps", "unconditional", "spread_by_error", "unevenness"
    run.metrics({f"completed/{name}": getattr(found, name) for name in names}, found.nfe)
