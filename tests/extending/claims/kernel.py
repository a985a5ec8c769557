"""Whether ours is nearer to the data by the kernel distance too."""

from pipelines.claims.claim import Definition
from pipelines.claims.measurement import ONE_SEED, Measurement, not_measured
from pipelines.claims.results import Results
from pipelines.claims.units import RATIO


def kernel(results: Results) -> Measurement:
    """How many times the baseline's least kernel distance is ours; as wide as both intervals allow."""
    ours, theirs = (min(each.rows, key=lambda row: row.kid) for each in results.pair)
    if ours.kid_low <= 0 or theirs.kid_low <= 0:
        return not_measured("a kernel distance that may be 0 has no ratio to another")
    return Measurement(
        theirs.kid / ours.kid,
        theirs.kid_low / ours.kid_high,
        theirs.kid_high / ours.kid_low,
        f"the least kernel distance of each, interval by interval; {ONE_SEED}",
        f"{ours.kid:.3g} in {ours.nfe} evaluations against {theirs.kid:.3g} in {theirs.nfe}.",
    )


CLAIM = Definition(
    "kernel",
    "At its best, {ours}'s images have a lower kernel distance.",
    "lower",
    unit=RATIO,
    better="up",
    null=1,
    threshold=1,
    of_run=kernel,
)
