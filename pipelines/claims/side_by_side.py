"""Claims that the probes of all methods side by side decide (pipelines.probe)."""

import math
from statistics import fmean

from fm.metrics.intervals import Interval, mean_interval
from pipelines.claims.measurement import ONE_SEED, Measurement, not_measured
from pipelines.claims.proportions import difference_of_shares
from pipelines.claims.results import DIFFUSION, FLOW_MATCHING, Results
from pipelines.schemas.machine import Load
from pipelines.schemas.probes import Guided, MethodProbe, Probes

FEW = 10  # steps at which stability is judged


def memory(results: Results) -> Measurement:
    """Share of the peak training memory saved."""
    ours, theirs = pair(results)
    shares = [1 - own / other for own, other in zip(ours.step_peak_bytes, theirs.step_peak_bytes, strict=True)]
    own, other = (results.train[name].peak_memory_bytes / 1e6 for name in (FLOW_MATCHING, DIFFUSION))
    return Measurement(
        fmean(shares),
        min(shares),
        max(shares),
        f"the most that tensors held at once in training steps of {results.probes.train_batch_size} images, same "
        f"network, optimiser and averaging; the range over {len(shares)} repetitions, since chance has no part in it",
        f"{megabytes(ours)} MB against {megabytes(theirs)} MB. The whole processes peaked at {own:,.0f} MB and "
        f"{other:,.0f} MB in this run's trainings, interpreter, libraries and data included.",
    )


def megabytes(probe: MethodProbe) -> str:
    return f"{max(probe.step_peak_bytes) / 1e6:,.1f}"


def step_cost(results: Results) -> Measurement:
    """Seconds per training step, flow matching over diffusion."""
    ours, theirs = pair(results)
    found = ratio_of_pairs(ours.step_seconds, theirs.step_seconds, confidence(results))
    own, other = (1000 * probe.seconds_per_step for probe in (ours, theirs))
    return Measurement(
        *found,
        f"training steps of {results.probes.train_batch_size} images in turn, {len(ours.step_seconds)} rounds; "
        f"{confidence(results):.0%} t-interval of the logarithm over the rounds{machine(results.probes)}",
        f"{own:.3g} ms against {other:.3g} ms a step.",
    )


def real_time(results: Results) -> Measurement:
    """Images per second, one at a time, with ten evaluations; without an interval, so without a verdict, where the
    machine was busy with other work."""
    ours, theirs = pair(results)
    found = mean_interval(ours.one_at_a_time, confidence(results))
    loads = results.probes.machine_load
    load = None if loads is None else loads.one_at_a_time
    busy = load is not None and load.busy
    return Measurement(
        1 / found.mean,
        -math.inf if busy else 1 / found.high,
        math.inf if busy else 1 / max(found.low, min(ours.one_at_a_time)),
        f"{len(ours.one_at_a_time)} images alone by DDIM with 10 evaluations, which on the straight path is Euler's "
        f"method, diffusion's in turn; {confidence(results):.0%} t-interval of the mean time{machine(results.probes)}",
        f"{meanwhile(load)} Diffusion makes {1 / fmean(theirs.one_at_a_time):.3g} a second with as many evaluations: "
        "the same network is called as often, whatever it was trained for.",
    )


def meanwhile(load: Load | None) -> str:
    """What to say of an absolute time."""
    if load is None:
        return "What else the machine did meanwhile was not recorded."
    return f"Not judged, because the machine was busy: {load}." if load.busy else f"Meanwhile {load}."


def determinism(results: Results) -> Measurement:
    """Bytes that differ between repeated samplings."""
    ours, theirs = pair(results)
    differing = sum(one.differing for one in ours.repetitions)
    total = sum(one.bytes for one in ours.repetitions)
    others = sum(one.differing for one in theirs.repetitions)
    solvers = ", ".join(one.solver for one in theirs.repetitions)
    return Measurement(
        differing,
        differing,
        differing,
        f"{total:,} bytes of images by {', '.join(one.solver for one in ours.repetitions)}, drawn again in the same "
        f"process and in a fresh one with as many threads; counted, so there is no interval{machine(results.probes)}",
        f"Diffusion differs in {others:,} bytes ({solvers}): with noise that is a function of seed and image number, a "
        "stochastic sampler repeats itself too, so this tells the methods apart only where noise is drawn anew.",
    )


def special_case(results: Results) -> Measurement:
    """Largest pixel difference between DDIM and Euler's method after the change to the straight path."""
    found = results.probes.change_of_path
    if found is None:
        return not_measured("diffusion is on the straight path already")
    largest = max(found.differences)
    return Measurement(
        largest,
        largest,
        largest,
        f"the trained model of {found.method}, {found.steps} steps, float64, the same noise for both; the largest over "
        f"{len(found.differences)} images with pixels in -1 to 1",
        "A property of the mathematics that the trained network has to obey; it says nothing of quality.",
    )


def stability(results: Results) -> Measurement:
    """Distance of an N-step sample from the 1000-step sample of the same noise, diffusion over flow matching."""
    ours, theirs = pair(results)
    level = confidence(results)
    pairs = zip(ours.convergence, theirs.convergence, strict=True)
    at = {own.steps: ratio_of_pairs(other.distances, own.distances, level) for own, other in pairs}
    found = at[FEW]
    curve = "; ".join(f"{steps}: {one.mean:.3g} ({one.low:.3g} to {one.high:.3g})" for steps, one in at.items())
    straight = [fmean(probe.straightness) for probe in (ours, theirs)]
    return Measurement(
        *found,
        f"{ONE_SEED}; root mean square over the pixels between {FEW} and 1000 steps of DDIM, on the straight path "
        f"Euler's method, elsewhere with predicted data kept in range; "
        f"{len(ours.convergence[0].distances)} images of each from the same noise, ratio of "
        f"geometric means, {level:.0%} t-interval of its logarithm",
        f"By number of steps: {curve}. Along the straight path the trajectories' velocities vary by "
        f"{straight[0]:.3g} of the chord's square for flow matching and {straight[1]:.3g} for diffusion (0: straight).",
    )


def conditioning(results: Results) -> Measurement:
    """Share of images whose class the classifier recognises, diffusion minus flow matching, best guidance each."""
    ours, theirs = pair(results)
    if not ours.guidance or not theirs.guidance:
        return not_measured("the extractor is no classifier of this dataset's labels")
    own, other = best_guidance(ours.guidance), best_guidance(theirs.guidance)
    count, level = results.probes.guidance_images, confidence(results)
    found = difference_of_shares(other.recognised[-1], own.recognised[-1], count, level)
    real = results.classifier_accuracy
    return Measurement(
        *found,
        f"{ONE_SEED}; each at the sampler that decides and the scale of guidance, of "
        f"{', '.join(f'{one.scale:g}' for one in ours.guidance)}, that is best on one set of {count} images, read on "
        f"another; {level:.0%} Newcombe interval",
        f"The classifier recognises {described('flow matching', own, ours.guidance)}, and "
        f"{described('diffusion', other, theirs.guidance)}"
        + ("." if real is None else f"; {real:.1%} of real test images."),
    )


def best_guidance(rows: list[Guided]) -> Guided:
    """Chosen on the first set; of equals, the least guidance."""
    return max(rows, key=lambda one: (one.recognised[0], -one.scale))


def described(method: str, best: Guided, rows: list[Guided]) -> str:
    plain = next(one for one in rows if one.scale == 1)
    return (
        f"{best.recognised[-1]:.1%} of {method}'s images at scale {best.scale:g} "
        f"({best.solver}, {best.nfe} evaluations) and {plain.recognised[-1]:.1%} without guidance ({plain.nfe})"
    )


def ratio_of_pairs(above: list[float], below: list[float], level: float) -> Interval:
    """The geometric mean of the ratios of index-aligned positive values, with a t-interval of its logarithm."""
    found = mean_interval([math.log(a / b) for a, b in zip(above, below, strict=True)], level)
    return Interval(*(math.exp(value) for value in found))


def pair(results: Results) -> tuple[MethodProbe, MethodProbe]:
    return results.probes.methods[FLOW_MATCHING], results.probes.methods[DIFFUSION]


def confidence(results: Results) -> float:
    return results.evaluations[FLOW_MATCHING].confidence


def machine(probes: Probes) -> str:
    return f"; {probes.device}, {probes.threads} threads"
