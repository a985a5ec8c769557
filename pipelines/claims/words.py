"""A judged claim as people read it, wherever they do: in the report, on Prefect's pages, in MLflow, on a terminal."""

from collections.abc import Sequence

from pipelines.claims.units import quantity
from pipelines.markup import table
from pipelines.schemas.comparison import Claim

# A sign beside each verdict, so that nothing hangs on its colour.
VERDICTS = {
    "reproduced": ("✓", "reproduced"),
    "partly": ("◐", "partly"),
    "not_reproduced": ("✗", "not reproduced"),
    "inconclusive": ("?", "inconclusive"),
    "not_measured": ("–", "not measured"),
}


def measured(claim: Claim) -> str:
    return "–" if claim.measured is None else quantity(claim.measured, claim.unit)


def interval(claim: Claim) -> str:
    low, high = (None if end is None else quantity(end, claim.unit) for end in (claim.low, claim.high))
    if low is None and high is None:
        return "" if claim.measured is None else "no interval"
    if low is None or high is None:
        return f"at least {low}" if high is None else f"at most {high}"
    return f"{low} to {high}"


def finding(claim: Claim) -> str:
    """The verdict with its figures: `partly, 28.5% (10.5% to 46.5%)`."""
    _, verdict = VERDICTS[claim.verdict]
    if claim.measured is None:
        return verdict
    return f"{verdict}, {measured(claim)} ({interval(claim)})"


def as_markdown(claims: Sequence[Claim]) -> str:
    """A table with a line for each claim, those that were measured first."""
    ordered = sorted(claims, key=lambda claim: claim.verdict == "not_measured")
    return table(
        ("verdict", "claim", "measured", "interval", "claimed"),
        [
            (" ".join(VERDICTS[one.verdict]), one.claim, measured(one), interval(one), one.source_value)
            for one in ordered
        ],
    )
