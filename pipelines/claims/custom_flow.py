"""Whether a flow that was made for one kind of data does better on them than the plain straight path."""

import math
from collections.abc import Sequence

from fm.metrics.intervals import Interval
from pipelines.claims.arms import log_ratio, one_by_one, other, protocol, ratio
from pipelines.claims.claim import Definition
from pipelines.claims.measurement import Measurement, not_measured
from pipelines.claims.outcomes import Outcome, best
from pipelines.claims.units import PART
from pipelines.words import method_in_text


def custom_flow(outcomes: Sequence[Outcome]) -> Measurement:
    """By what part of it the method beside ours, each at its best, lessens the distance of ours."""
    plain, custom = outcomes[0].roles.ours, other(outcomes)
    if custom is None:
        return not_measured(f"the arm needs the method {plain} and one with a flow made for its data, in every trial")
    each = [log_ratio(one, plain, custom) for one in outcomes]
    first = outcomes[0].evaluations
    return Measurement(
        *gained(ratio(each, outcomes)),
        f"{protocol(outcomes)}; each at its best sampler; {method_in_text(custom)} against {method_in_text(plain)}",
        f"Ratios of distances, plain over custom. {one_by_one(each, outcomes)} First seed: {best(first[plain]):.3g} "
        f"with {method_in_text(plain)}, {best(first[custom]):.3g} with {method_in_text(custom)}.",
    )


def gained(ratio: Interval) -> Interval:
    """The part by which a distance is less than one that is so many times as large."""
    return Interval(*(1 - (math.inf if end == 0 else 1 / end) for end in ratio))


CLAIM = Definition(
    "custom_flow",
    "A flow made for one kind of data does better on them than the straight path from white noise.",
    "better images of domain-specific data",
    unit=PART,
    better="up",
    null=0,
    threshold=0,
    of_arm=custom_flow,
)
