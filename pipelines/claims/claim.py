"""The claims about flow matching, and the verdict that an interval means for them.

The verdict follows from the interval alone, so nobody can talk a result up or down afterwards. What one run of the
pipeline can measure is beside this, what only several can in study/verdicts.py.
"""

from dataclasses import dataclass
from typing import Literal

from pipelines.schemas.comparison import Verdict


@dataclass(frozen=True)
class Definition:
    """A claim as the source makes it, before anything is measured.

    Attributes:
        null: the value that means no difference; none where there is no such value.
        threshold: the source's value; for an equality the margin around null (or 0).
    """

    id: str
    claim: str
    source_value: str
    unit: str
    better: Literal["up", "equal"]
    null: float | None
    threshold: float


CLAIMS = (
    Definition(
        "quality",
        "At its best, flow matching's images are closer to the data.",
        "20% lower distance (4.89 → 3.92; 0.28 against 5.48)",
        unit="share",
        better="up",
        null=0,
        threshold=0.20,
    ),
    Definition(
        "evaluations",
        "Flow matching matches diffusion's quality with fewer calls of the network.",
        "5 times fewer (100+ against 10 to 20)",
        unit="ratio",
        better="up",
        null=1,
        threshold=5,
    ),
    Definition(
        "sampling_speed",
        "Flow matching makes an image of the same quality in less time.",
        "2.3 times faster (4.2 s → 1.8 s; 84 s → 36 s)",
        unit="ratio",
        better="up",
        null=1,
        threshold=2.3,
    ),
    Definition(
        "training_time",
        "Flow matching reaches the diffusion baseline's final quality in less training time.",
        "36% less (14 → 9 days)",
        unit="share",
        better="up",
        null=0,
        threshold=0.36,
    ),
    Definition(
        "memory",
        "Training by flow matching needs less memory, with the same network and batch.",
        "21% less (78 → 62 GB)",
        unit="share",
        better="up",
        null=0,
        threshold=0.21,
    ),
    Definition(
        "step_cost",
        "A training step costs the same with either method.",
        "equal within 3%",
        unit="ratio",
        better="equal",
        null=1,
        threshold=0.03,
    ),
    Definition(
        "conditioning",
        "Flow matching is less mature in conditioning: its images show the class that was asked for less often.",
        "less often",
        unit="difference of shares",
        better="up",
        null=0,
        threshold=0,
    ),
    Definition(
        "real_time",
        "Ten evaluations are fast enough for real time, one image after the other.",
        "10 images per second",
        unit="images/s",
        better="up",
        null=None,
        threshold=10,
    ),
    Definition(
        "determinism",
        "The same noise gives the same image, byte for byte.",
        "no byte differs",
        unit="bytes",
        better="equal",
        null=None,
        threshold=0,
    ),
    Definition(
        "special_case",
        "Diffusion is a special case: after a change of path, DDIM and Euler's method give the same image.",
        "equal within 0.001",
        unit="pixel value",
        better="equal",
        null=None,
        threshold=1e-3,
    ),
    Definition(
        "stability",
        "With few steps, flow matching stays closer to what many steps give from the same noise.",
        "closer at 10 steps",
        unit="ratio",
        better="up",
        null=1,
        threshold=1,
    ),
    Definition(
        "transformers",
        "Under flow matching, a transformer does better than a UNet of equal compute.",
        "lower distance",
        unit="ratio",
        better="up",
        null=1,
        threshold=1,
    ),
    Definition(
        "touchiness",
        "Flow matching forgives a wrong learning rate less than diffusion does.",
        "a narrower range of good rates",
        unit="decades",
        better="up",
        null=0,
        threshold=0,
    ),
    Definition(
        "optimal_transport",
        "Pairing noise and data by optimal transport gives better images in five evaluations.",
        "lower distance",
        unit="ratio",
        better="up",
        null=1,
        threshold=1,
    ),
)


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
