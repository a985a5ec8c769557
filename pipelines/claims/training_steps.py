"""What a training step costs: its memory and its time."""

from statistics import fmean

from pipelines.claims.claim import Definition
from pipelines.claims.measurement import Measurement
from pipelines.claims.results import Results
from pipelines.claims.side_by_side import confidence, machine, ratio_of_pairs
from pipelines.claims.units import PART, RATIO
from pipelines.schemas.probes import MethodProbe


def memory(results: Results) -> Measurement:
    """The part of the peak training memory that is saved."""
    ours, theirs = results.probed
    saved = [1 - own / other for own, other in zip(ours.step_peak_bytes, theirs.step_peak_bytes, strict=True)]
    own, other = (results.train[name].peak_memory_bytes / 1e6 for name in results.both)
    return Measurement(
        fmean(saved),
        min(saved),
        max(saved),
        f"the most that tensors held at once in training steps of {results.probes.train_batch_size} images, same "
        f"network, optimiser and averaging; the range over {len(saved)} repetitions, since chance has no part in it",
        f"{megabytes(ours)} MB against {megabytes(theirs)} MB. The whole processes peaked at {own:,.0f} MB and "
        f"{other:,.0f} MB in this run's trainings, interpreter, libraries and data included.",
    )


def megabytes(probe: MethodProbe) -> str:
    return f"{max(probe.step_peak_bytes) / 1e6:,.1f}"


def step_cost(results: Results) -> Measurement:
    """Seconds per training step, ours over the baseline's."""
    ours, theirs = results.probed
    found = ratio_of_pairs(ours.step_seconds, theirs.step_seconds, confidence(results))
    own, other = (1000 * probe.seconds_per_step for probe in (ours, theirs))
    return Measurement(
        *found,
        f"training steps of {results.probes.train_batch_size} images in turn, {len(ours.step_seconds)} rounds; "
        f"{confidence(results):.0%} t-interval of the logarithm over the rounds{machine(results.probes)}",
        f"{own:.3g} ms against {other:.3g} ms a step.",
    )


MEMORY = Definition(
    "memory",
    "Training by {ours} needs less memory, with the same network and batch.",
    "21% less (78 → 62 GB)",
    unit=PART,
    better="up",
    null=0,
    threshold=0.21,
    of_run=memory,
    seeds="counted",
)
STEP_COST = Definition(
    "step_cost",
    "A training step costs the same with either method.",
    "equal within 3%",
    unit=RATIO,
    better="equal",
    null=1,
    threshold=0.03,
    of_run=step_cost,
    seeds="timed",
)
