"""Every claim with its measurement and its verdict."""

import math
from collections.abc import Callable

from pipelines.claims.claim import CLAIMS, Definition, verdict
from pipelines.claims.distances import evaluations, quality, sampling_speed, training_time
from pipelines.claims.measurement import Measurement, not_measured
from pipelines.claims.results import DIFFUSION, FLOW_MATCHING, Results
from pipelines.claims.side_by_side import (
    conditioning,
    determinism,
    memory,
    real_time,
    special_case,
    stability,
    step_cost,
)
from pipelines.schemas.comparison import Claim

MEASUREMENTS: dict[str, Callable[[Results], Measurement]] = {
    "quality": quality,
    "evaluations": evaluations,
    "sampling_speed": sampling_speed,
    "training_time": training_time,
    "memory": memory,
    "step_cost": step_cost,
    "conditioning": conditioning,
    "real_time": real_time,
    "determinism": determinism,
    "special_case": special_case,
    "stability": stability,
}


ONLY_A_STUDY = "needs more trainings than one run makes: python -m flows.study"


def judge(results: Results) -> list[Claim]:
    """Every claim of the table with its measurement, if one run gives one, and its verdict."""
    return [entry(definition, measure(definition, results)) for definition in CLAIMS]


def measure(definition: Definition, results: Results) -> Measurement:
    absent = [name for name in (FLOW_MATCHING, DIFFUSION) if name not in results.evaluations]
    if definition.id not in MEASUREMENTS:
        return not_measured(ONLY_A_STUDY)
    if absent:
        return not_measured(f"compares the methods {FLOW_MATCHING} and {DIFFUSION}; params.yaml lacks {absent[0]}")
    return MEASUREMENTS[definition.id](results)


def entry(definition: Definition, found: Measurement) -> Claim:
    """A claim as comparison.json has it."""
    return Claim(
        id=definition.id,
        claim=definition.claim,
        source_value=definition.source_value,
        measured=found.measured,
        low=finite(found.low),
        high=finite(found.high),
        unit=definition.unit,
        better=definition.better,
        null=definition.null,
        threshold=definition.threshold,
        verdict=verdict(found.low, found.high, definition.better, definition.null, definition.threshold),
        protocol=found.protocol,
        note=found.note,
    )


def finite(end: float | None) -> float | None:
    """An end of an interval, unless that side is open."""
    return None if end is None or math.isinf(end) else end
