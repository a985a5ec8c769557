"""Whether a single image is made fast enough to wait for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from fm.metrics.intervals import mean_interval
from pipelines.claims.claim import Definition
from pipelines.claims.distances import alike, correction, held_out
from pipelines.claims.measurement import Measurement
from pipelines.claims.results import Results
from pipelines.claims.side_by_side import confidence, machine, ratio_of_pairs
from pipelines.claims.units import IMAGES_A_SECOND
from pipelines.schemas.evaluation import EvaluationRow, distance_key
from pipelines.schemas.machine import Load
from pipelines.schemas.probes import Latency
from pipelines.words import capital, duration, evaluations, method_in_text, number, solver_name

WITHIN = 1.5
"""How far from the best a sampler may be: this many times its distance with as few evaluations."""
CHOOSE, READ = slice(0, None, 2), slice(1, None, 2)
"""Of the images that each sampler is timed with: those by which the fastest is chosen, and those that it is read by."""


@dataclass(frozen=True)
class Waited:
    """How long one image takes by one sampler of a method, and how good it is."""

    method: str
    row: EvaluationRow
    latency: Latency

    @property
    def words(self) -> str:
        sampler = f"{solver_name(self.row.solver)}, {evaluations(self.row.nfe)}"
        return f"{method_in_text(self.method)} by {sampler}{', compiled' if self.latency.compiled else ''}"


def real_time(results: Results) -> Measurement:
    """Images per second, one at a time, by the fastest sampler that is good enough; without an interval, so without a
    verdict, where the machine was busy with other work."""
    each = waited(results)
    if not each:
        return with_ten_evaluations(results)
    near = good_enough(each, confidence(results))
    chosen = min(near, key=lambda one: fmean(one.latency.seconds[CHOOSE]))
    read = chosen.latency.seconds[READ]
    key = distance_key(results.pair[0].extractor)
    return images_a_second(
        results,
        read,
        f"{len(read)} images alone by {chosen.words}, by as many others the fastest of all whose {key} is beyond doubt "
        f"at most {WITHIN:g} times the best's with ten evaluations or fewer ({confidence(results):.0%} t-interval of "
        "the ratio over the sample sets, in each to the sampler that is best in the others; "
        f"{correction(list(results.evaluations.values()))}); all in turn",
        f"Its {key} is {number(chosen.row.distance)}, the best's {number(lowest(each).row.distance)}. An image alone "
        f"takes: {listed(each)}.",
    )


def good_enough(each: Sequence[Waited], level: float) -> list[Waited]:
    """The best, and those that are as near to it as they may be by the whole interval of their ratio."""
    best = held_out([one.row for one in each])
    return [
        one
        for one in each
        if one.row == lowest(each).row or ratio_of_pairs(one.row.distance_sets, best, level).high <= WITHIN
    ]


def lowest(each: Sequence[Waited]) -> Waited:
    return min(each, key=lambda one: fmean(one.row.distance_sets))


def waited(results: Results) -> list[Waited]:
    """Every sampler that was timed alone, with distances without their common bias (alike); none in files of before."""
    evaluations = zip(results.evaluations, alike(list(results.evaluations.values())), strict=True)
    rows = {(method, row.solver, row.steps): row for method, evaluation in evaluations for row in evaluation.rows}
    return [
        Waited(method, rows[method, one.solver, one.steps], one)
        for method, probe in results.probes.methods.items()
        for one in probe.latency
    ]


def with_ten_evaluations(results: Results) -> Measurement:
    """By the same sampler for all, as files of before have it."""
    ours, theirs = results.probed
    _, baseline = results.names
    return images_a_second(
        results,
        ours.one_at_a_time,
        f"{len(ours.one_at_a_time)} images alone by DDIM with 10 evaluations, which on the straight path is Euler's "
        f"method, {baseline}'s in turn",
        f"{capital(baseline)} makes {1 / fmean(theirs.one_at_a_time):.3g} a second with as many "
        "evaluations: the same network is called as often, whatever it was trained for.",
    )


def images_a_second(results: Results, seconds: Sequence[float], how: str, note: str) -> Measurement:
    found = mean_interval(seconds, confidence(results))
    loads = results.probes.machine_load
    load = None if loads is None else loads.one_at_a_time
    busy = load is not None and load.busy
    return Measurement(
        1 / found.mean,
        -math.inf if busy else 1 / found.high,
        math.inf if busy else 1 / max(found.low, min(seconds)),
        f"{how}; {confidence(results):.0%} t-interval of the mean time{machine(results.probes)}",
        f"{meanwhile(load)} {note}",
    )


def listed(each: Sequence[Waited]) -> str:
    return "; ".join(f"{one.words}: {duration(one.latency.mean)}" for one in each)


def meanwhile(load: Load | None) -> str:
    """What to say of an absolute time."""
    if load is None:
        return "What else the machine did meanwhile was not recorded."
    return f"Not judged, because the machine was busy: {load}." if load.busy else f"Meanwhile {load}."


CLAIM = Definition(
    "real_time",
    "Ten evaluations or fewer are fast enough for real time, one image after the other.",
    "10 images per second",
    unit=IMAGES_A_SECOND,
    better="up",
    null=None,
    threshold=10,
    of_run=real_time,
    seeds="timed",
)
