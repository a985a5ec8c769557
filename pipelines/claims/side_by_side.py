"""What the claims have in common that the probes of methods side by side decide (pipelines.probe)."""

import math

from fm.metrics.intervals import Interval, mean_interval
from pipelines.claims.results import Results
from pipelines.schemas.probes import Probes


def ratio_of_pairs(above: list[float], below: list[float], level: float) -> Interval:
    """The geometric mean of the ratios of index-aligned positive values, with a t-interval of its logarithm."""
    found = mean_interval([math.log(a / b) for a, b in zip(above, below, strict=True)], level)
    return Interval(*(math.exp(value) for value in found))


def confidence(results: Results) -> float:
    return results.pair[0].confidence


def machine(probes: Probes) -> str:
    return f"; {probes.device}, {probes.threads} threads"
