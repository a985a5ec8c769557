"""Every claim with its measurement and its verdict, by one run of the pipeline or by a study's."""

import math
from collections.abc import Sequence

from pipelines.claims.claim import Definition
from pipelines.claims.measurement import Measurement, not_measured
from pipelines.claims.outcomes import MAIN, Outcome, alike, share_sets
from pipelines.claims.over_seeds import over_seeds
from pipelines.claims.results import Results
from pipelines.claims.table import CLAIMS
from pipelines.params import Roles
from pipelines.schemas.comparison import Claim

ONLY_A_STUDY = "needs more trainings than one run makes: python -m flows.study"


def judge(results: Results) -> list[Claim]:
    """By one run."""
    return [entry(definition, by_run(definition, results), results.roles) for definition in CLAIMS]


def judge_study(outcomes: Sequence[Outcome]) -> list[Claim]:
    """By the trials of a study, at least one: the intervals are across training seeds."""
    return [entry(definition, by_study(definition, outcomes), outcomes[0].roles) for definition in CLAIMS]


def by_run(definition: Definition, results: Results) -> Measurement:
    if definition.of_run is None:
        return not_measured(ONLY_A_STUDY)
    for role, method in zip(("ours", "baseline"), results.both, strict=True):
        if method not in results.evaluations:
            return not_measured(f"compares two methods, of which params.yaml lacks one: compare.{role} = {method}")
    return definition.of_run(results)


def by_study(definition: Definition, outcomes: Sequence[Outcome]) -> Measurement:
    if definition.of_run is not None:
        main = alike([one for one in outcomes if one.results is not None])
        each = [by_run(definition, one.results) for one in main if one.results is not None]
        return over_seeds(definition, each, definition.seeds != "timed" and share_sets(main))
    return by_arm(definition, outcomes)


def by_arm(definition: Definition, outcomes: Sequence[Outcome]) -> Measurement:
    arm, main = ([one for one in outcomes if one.arm == name] for name in (definition.id, MAIN))
    if not arm:
        return not_measured(f"the study has no arm {definition.id}")
    if definition.of_arm is not None:
        return definition.of_arm(alike(arm))
    assert definition.beside_main is not None
    both = alike([*arm, *main])
    return definition.beside_main(both[: len(arm)], both[len(arm) :])


def entry(definition: Definition, found: Measurement, roles: Roles) -> Claim:
    """A claim as comparison.json has it."""
    return Claim(
        id=definition.id,
        claim=definition.sentence(roles),
        source_value=definition.source_value,
        measured=found.measured,
        low=finite(found.low),
        high=finite(found.high),
        unit=definition.unit.name,
        better=definition.better,
        null=definition.null,
        threshold=definition.threshold,
        verdict=definition.verdict(found.low, found.high),
        protocol=found.protocol,
        note=found.note,
    )


def finite(end: float | None) -> float | None:
    """An end of an interval, unless that side is open."""
    return None if end is None or math.isinf(end) else end
