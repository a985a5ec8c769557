"""What a claim is: its words, how it is measured, and the verdict that an interval means for it.

The verdict follows from the interval alone, so nobody can talk a result up or down afterwards. Each claim has its
place in a module beside this; table.py lists them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.claims.measurement import Measurement
from pipelines.claims.outcomes import Outcome
from pipelines.claims.results import Results
from pipelines.claims.units import Unit
from pipelines.params import Roles
from pipelines.schemas.comparison import Verdict
from pipelines.words import capital, method_in_text


@dataclass(frozen=True)
class Definition:
    """A claim as the source makes it, and how it is tried.

    Attributes:
        claim: with {ours} and {baseline} for the methods' names, {Ours} and {Baseline} where a sentence begins.
        null: the value that means no difference; none where there is no such value.
        threshold: the source's value; for an equality the margin around null (or 0).
        of_run: what one run of the pipeline measures of it; none where it takes a study.
        of_arm: where it does, what the study's arm of this id says.
        beside_main: where that arm says it beside the main one, what the two say.
        seeds: what figures of several trainings differ by, beside the trainings' luck: `sampled` ones by that of the
            sample sets, `timed` ones by the machine's, `counted` ones, whose interval is their range, by nothing.
    """

    id: str
    claim: str
    source_value: str
    unit: Unit
    better: Literal["up", "equal"]
    null: float | None
    threshold: float
    of_run: Callable[[Results], Measurement] | None = None
    of_arm: Callable[[Sequence[Outcome]], Measurement] | None = None
    beside_main: Callable[[Sequence[Outcome], Sequence[Outcome]], Measurement] | None = None
    seeds: Literal["sampled", "timed", "counted"] = "sampled"

    @property
    def has_arm(self) -> bool:
        return self.of_arm is not None or self.beside_main is not None

    def sentence(self, roles: Roles) -> str:
        """The claim of the methods that have these roles."""
        ours, baseline = method_in_text(roles.ours), method_in_text(roles.baseline)
        return self.claim.format(ours=ours, baseline=baseline, Ours=capital(ours), Baseline=capital(baseline))

    def verdict(self, low: float | None, high: float | None) -> Verdict:
        """Raises ValueError: not an interval."""
        return verdict(low, high, self.better, self.null, self.threshold)


def verdict(
    low: float | None, high: float | None, better: Literal["up", "equal"], null: float | None, threshold: float
) -> Verdict:
    """What an interval says of a claim.

    Where a claim has no value that means "no difference", its threshold is that value. An infinite end is an open one.

    Raises:
        ValueError: the interval has one end, is the wrong way round, or is not made of numbers.
    """
    if low is None and high is None:
        return "not_measured"
    if low is None or high is None or not low <= high:
        raise ValueError(f"not an interval: {low} to {high}")
    if better == "equal":
        centre = null or 0.0
        return verdict_of_equality(low, high, centre - threshold, centre + threshold)
    if low >= threshold and (null is None or low > null):
        return "reproduced"
    if null is None:
        return "not_reproduced" if high < threshold else "inconclusive"
    if low > null:
        return "partly"
    return "not_reproduced" if high <= null else "inconclusive"


def verdict_of_equality(low: float, high: float, least: float, most: float) -> Verdict:
    if least <= low and high <= most:
        return "reproduced"
    if high < least or low > most:
        return "not_reproduced"
    return "inconclusive"
