"""Whether pairing noise and data by optimal transport helps where evaluations are few."""

import math
from collections.abc import Sequence
from statistics import fmean

from pipelines.claims.arms import log_ratio, one_by_one, other, protocol, ratio
from pipelines.claims.claim import Definition
from pipelines.claims.measurement import Measurement, not_measured
from pipelines.claims.outcomes import Outcome
from pipelines.claims.units import RATIO

OF_FIVE = 5  # evaluations at which it is judged


def optimal_transport(outcomes: Sequence[Outcome]) -> Measurement:
    """Distance of ours, which pairs at random, over that of the method beside it, at five evaluations."""
    ours, paired = outcomes[0].roles.ours, other(outcomes)
    if paired is None:
        return not_measured(f"the arm needs the method {ours} and one with optimal transport, in every trial")
    counts = sorted({row.nfe for row in outcomes[0].evaluations[paired].rows if 2 <= row.nfe <= 10} | {OF_FIVE})
    at = {nfe: [log_ratio(one, ours, paired, nfe) for one in outcomes] for nfe in counts}
    beside = "; ".join(f"{nfe}: {math.exp(fmean(one.value for one in each)):.3g}" for nfe, each in at.items())
    return Measurement(
        *ratio(at[OF_FIVE], outcomes),
        f"{protocol(outcomes)}; with {OF_FIVE} evaluations, each by its best sampler of so many",
        f"{one_by_one(at[OF_FIVE], outcomes)} By evaluations: {beside}.",
    )


CLAIM = Definition(
    "optimal_transport",
    "Pairing noise and data by optimal transport gives better images in five evaluations.",
    "lower distance",
    unit=RATIO,
    better="up",
    null=1,
    threshold=1,
    of_arm=optimal_transport,
)
