"""Whether a single image is made fast enough to wait for."""

import math
from statistics import fmean

from fm.metrics.intervals import mean_interval
from pipelines.claims.claim import Definition
from pipelines.claims.measurement import Measurement
from pipelines.claims.results import Results
from pipelines.claims.side_by_side import confidence, machine
from pipelines.claims.units import IMAGES_A_SECOND
from pipelines.schemas.machine import Load
from pipelines.words import capital


def real_time(results: Results) -> Measurement:
    """Images per second, one at a time, with ten evaluations; without an interval, so without a verdict, where the
    machine was busy with other work."""
    ours, theirs = results.probed
    found = mean_interval(ours.one_at_a_time, confidence(results))
    loads = results.probes.machine_load
    load = None if loads is None else loads.one_at_a_time
    _, baseline = results.names
    busy = load is not None and load.busy
    return Measurement(
        1 / found.mean,
        -math.inf if busy else 1 / found.high,
        math.inf if busy else 1 / max(found.low, min(ours.one_at_a_time)),
        f"{len(ours.one_at_a_time)} images alone by DDIM with 10 evaluations, which on the straight path is Euler's "
        f"method, {baseline}'s in turn; {confidence(results):.0%} t-interval of the mean time{machine(results.probes)}",
        f"{meanwhile(load)} {capital(baseline)} makes {1 / fmean(theirs.one_at_a_time):.3g} a second with as many "
        "evaluations: the same network is called as often, whatever it was trained for.",
    )


def meanwhile(load: Load | None) -> str:
    """What to say of an absolute time."""
    if load is None:
        return "What else the machine did meanwhile was not recorded."
    return f"Not judged, because the machine was busy: {load}." if load.busy else f"Meanwhile {load}."


CLAIM = Definition(
    "real_time",
    "Ten evaluations are fast enough for real time, one image after the other.",
    "10 images per second",
    unit=IMAGES_A_SECOND,
    better="up",
    null=None,
    threshold=10,
    of_run=real_time,
    seeds="timed",
)
