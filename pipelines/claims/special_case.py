"""Whether the baseline is flow matching along another path."""

from pipelines.claims.claim import Definition
from pipelines.claims.measurement import Measurement, not_measured
from pipelines.claims.results import Results
from pipelines.claims.units import PIXEL_VALUE
from pipelines.words import method_in_text


def special_case(results: Results) -> Measurement:
    """Largest pixel difference between DDIM and Euler's method after the change to the straight path."""
    found = results.probes.change_of_path
    _, baseline = results.names
    if found is None:
        return not_measured(f"{baseline} is on the straight path already")
    largest, method = max(found.differences), method_in_text(found.method)
    return Measurement(
        largest,
        largest,
        largest,
        f"the trained model of {method}, {found.steps} steps, float64, the same noise for both; the largest over "
        f"{len(found.differences)} images with pixels in -1 to 1",
        "A property of the mathematics that the trained network has to obey; it says nothing of quality.",
    )


CLAIM = Definition(
    "special_case",
    "{Baseline} is a special case: after a change of path, DDIM and Euler's method give the same image.",
    "equal within 0.001",
    unit=PIXEL_VALUE,
    better="equal",
    null=None,
    threshold=1e-3,
    of_run=special_case,
    seeds="counted",
)
