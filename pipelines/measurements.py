"""What one run of the pipeline can say about each claim: small functions that read the metrics of both methods."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from fm.metrics.intervals import Interval, mean_interval
from pipelines.claims import CLAIMS, Definition, verdict
from pipelines.schemas import Claim, Evaluation, EvaluationRow, TrainMetrics, distance_key

FLOW_MATCHING = "flow_matching"
DIFFUSION = "diffusion"

# How close to its own best the baseline has to come before its evaluations are counted.
MATCHED = 1.05

ONE_SEED = "one training seed"


def paired_difference(ours: EvaluationRow, theirs: EvaluationRow, confidence: float) -> Interval:
    """By how much the distance of `theirs` exceeds that of `ours`; set k of both started from the same noise."""
    pairs = zip(ours.distance_sets, theirs.distance_sets, strict=True)
    return mean_interval([other - own for own, other in pairs], confidence)


@dataclass(frozen=True)
class Results:
    """What the earlier stages measured, method by method."""

    train: dict[str, TrainMetrics]
    evaluations: dict[str, Evaluation]
    classifier_accuracy: float | None


@dataclass(frozen=True)
class Measurement:
    """A figure for a claim. Without both ends there is no interval, and no verdict but "inconclusive"."""

    measured: float | None
    low: float | None
    high: float | None
    protocol: str
    note: str


def judge(results: Results) -> list[Claim]:
    """Every claim of the table with its measurement, if one run gives one, and its verdict."""
    return [entry(definition, measure(definition, results)) for definition in CLAIMS]


def measure(definition: Definition, results: Results) -> Measurement:
    absent = [name for name in (FLOW_MATCHING, DIFFUSION) if name not in results.evaluations]
    if definition.missing:
        return not_measured(definition.missing)
    if absent:
        return not_measured(f"compares the methods {FLOW_MATCHING} and {DIFFUSION}; params.yaml lacks {absent[0]}")
    return MEASUREMENTS[definition.id](results)


def entry(definition: Definition, found: Measurement) -> Claim:
    """A claim as comparison.json has it."""
    without_interval = found.measured is not None and found.low is None
    return Claim(
        id=definition.id,
        claim=definition.claim,
        source_value=definition.source_value,
        measured=found.measured,
        low=found.low,
        high=found.high,
        unit=definition.unit,
        better=definition.better,
        null=definition.null,
        threshold=definition.threshold,
        verdict="inconclusive"
        if without_interval
        else verdict(found.low, found.high, definition.better, definition.null, definition.threshold),
        protocol=found.protocol,
        note=found.note,
    )


def not_measured(reason: str) -> Measurement:
    return Measurement(None, None, None, protocol="", note=sentence(reason))


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def quality(results: Results) -> Measurement:
    """Relative reduction of the distance, each method at its best."""
    ours, theirs = results.evaluations[FLOW_MATCHING], results.evaluations[DIFFUSION]
    found = reduction(ours.rows, theirs.rows, ours.confidence)
    notes = [raw_and_corrected(ours, theirs)]
    for nfe in (10, 20, 50):
        own, other = ([row for row in evaluation.rows if row.nfe == nfe] for evaluation in (ours, theirs))
        if own and other:
            at = reduction(own, other, ours.confidence)
            notes.append(f"At {nfe} evaluations: {at.mean:.0%} ({at.low:.0%} to {at.high:.0%}).")
    chosen = "each method's sampler is chosen on the other sets and read on this one, set by set"
    return Measurement(found.mean, found.low, found.high, f"{protocol(ours)}; {chosen}", " ".join(notes))


def reduction(ours: list[EvaluationRow], theirs: list[EvaluationRow], confidence: float) -> Interval:
    pairs = zip(held_out(ours), held_out(theirs), strict=True)
    return mean_interval([1 - own / other for own, other in pairs], confidence)


def held_out(rows: list[EvaluationRow]) -> list[float]:
    """The best row's distance, set by set.

    The row is chosen on all the other sets: whoever picks the smallest of several noisy figures and
    reports that same figure flatters the method with more rows.
    """
    sets = range(len(rows[0].distance_sets))

    def elsewhere(row: EvaluationRow, k: int) -> float:
        return sum(row.distance_sets) - row.distance_sets[k]

    return [min(rows, key=lambda row: elsewhere(row, k)).distance_sets[k] for k in sets]


def raw_and_corrected(ours: Evaluation, theirs: Evaluation) -> str:
    """The raw distances shrink a relative difference; say what two less biased readings give."""
    own, other = best_row(ours), best_row(theirs)
    text = f"Raw distances {own.distance:.3g} against {other.distance:.3g}, whose common bias shrinks the reduction"
    if min(own.distance, other.distance) > ours.floor:
        beyond_floor = 1 - (own.distance - ours.floor) / (other.distance - ours.floor)
        text += f"; of what lies above the floor it is {beyond_floor:.0%}"
    if other.kid > 0:
        text += f"; by the kernel distance (unbiased, no paired interval) {1 - own.kid / other.kid:.0%}"
    return text + "."


def best_row(evaluation: Evaluation) -> EvaluationRow:
    return min(evaluation.rows, key=lambda row: row.distance)


def protocol(evaluation: Evaluation) -> str:
    return (
        f"{ONE_SEED}; {distance_key(evaluation.extractor)}, reference: {evaluation.reference}; "
        f"{evaluation.num_sets} independent sets of {evaluation.num_images} images paired by noise, "
        f"{evaluation.confidence:.0%} t-interval over the sets; biased upwards at so few images "
        f"(floor {evaluation.floor:.3g})"
    )


def evaluations(results: Results) -> Measurement:
    """Evaluations diffusion needs to come within 5% of its best, over those flow matching needs for the same."""
    return at_matched_distance(results, "evaluations", lambda row: float(row.nfe), extra_variance=0.0)


def sampling_speed(results: Results) -> Measurement:
    """Seconds per image at the same distance, diffusion over flow matching."""
    ours, theirs = results.evaluations[FLOW_MATCHING], results.evaluations[DIFFUSION]
    spread = timing_variance(ours.rows) + timing_variance(theirs.rows)
    found = at_matched_distance(results, "seconds", lambda row: row.seconds_per_image, extra_variance=spread)
    calls = [1000 * fmean(row.seconds_per_image / row.nfe for row in each.rows) for each in (ours, theirs)]
    note = (
        f"Timed in batches while each method was evaluated, not interleaved; the interval is widened by how much "
        f"the time of one network call varies among a method's rows. One call took {calls[0]:.3g} ms an image for "
        f"flow matching and {calls[1]:.3g} ms for diffusion, though the network is the same."
    )
    return Measurement(found.measured, found.low, found.high, found.protocol, f"{found.note} {note}".strip())


def timing_variance(rows: list[EvaluationRow]) -> float:
    """Variance of the logarithm of a call's seconds: every row calls the same network, so this is timing noise."""
    per_call = [math.log(row.seconds_per_image / row.nfe) for row in rows]
    return stdev(per_call) ** 2 if len(per_call) > 1 else 0.0


def at_matched_distance(
    results: Results, what: str, cost: Callable[[EvaluationRow], float], extra_variance: float
) -> Measurement:
    """What diffusion pays to come within 5% of its best, over what flow matching pays for the same distance."""
    ours, theirs = results.evaluations[FLOW_MATCHING], results.evaluations[DIFFUSION]
    targets = [MATCHED * min(row.distance_sets[k] for row in theirs.rows) for k in range(theirs.num_sets)]
    needed = [cost_to_reach(theirs.rows, cost, k, target) for k, target in enumerate(targets)]
    reached = [cost_to_reach(ours.rows, cost, k, target) for k, target in enumerate(targets)]
    most = max(cost(row) for row in ours.rows)
    ratios = [(other or math.inf) / (own or most) for other, own in zip(needed, reached, strict=True)]
    measured = math.exp(fmean(map(math.log, ratios)))
    how = f"{protocol(ours)}; the distance to match is 5% above diffusion's best, {what} interpolated between samplers"
    cheapest = min(cost(row) for row in theirs.rows)
    if not any(reached):
        note = f"Flow matching never comes within 5% of diffusion's best, up to {most:.3g} {what}: an upper bound."
        return Measurement(max(ratios), 0.0, max(ratios), how, note)
    if not all(reached):
        note = f"No interval: up to {most:.3g} {what}, flow matching matches diffusion in some of the sets only."
        return Measurement(measured, None, None, how, note)
    if cheapest in needed:
        note = (
            f"No interval: diffusion is as good as it gets with its cheapest sampler already ({cheapest:.3g} {what})."
        )
        return Measurement(measured, None, None, how, note)
    logs = widened(
        mean_interval([math.log(ratio) for ratio in ratios], ours.confidence), extra_variance, ours.confidence
    )
    note = f"On average {geometric_mean(needed):.3g} {what} against {geometric_mean(reached):.3g}."
    return Measurement(measured, math.exp(logs.low), math.exp(logs.high), how, note)


def widened(interval: Interval, variance: float, confidence: float) -> Interval:
    """The interval of a value that has another, independent error of this variance besides."""
    reach = math.hypot(interval.high - interval.mean, normal_quantile(confidence) * math.sqrt(variance))
    return Interval(interval.mean, interval.mean - reach, interval.mean + reach)


def normal_quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def geometric_mean(values: Sequence[float | None]) -> float:
    return math.exp(fmean(math.log(value) for value in values if value))


def cost_to_reach(
    rows: list[EvaluationRow], cost: Callable[[EvaluationRow], float], k: int, target: float
) -> float | None:
    """The least cost at which set k's distance is down to `target`; none where it never is.

    Follows the best distance that can be had for a cost or less, straight between samplers in
    logarithms of both. The cheapest row's cost where that row is there already.
    """
    before: tuple[float, float] | None = None
    for row in sorted(rows, key=cost):
        here = (cost(row), row.distance_sets[k])
        if here[1] <= target:
            return crossing(before, here, target) if before else here[0]
        if before is None or here[1] < before[1]:
            before = here
    return None


def crossing(before: tuple[float, float], after: tuple[float, float], target: float) -> float:
    share = math.log(before[1] / target) / math.log(before[1] / after[1])
    return before[0] * math.pow(after[0] / before[0], share)


def memory(results: Results) -> Measurement:
    """Share of the peak training memory saved."""
    ours, theirs = results.train[FLOW_MATCHING].peak_memory_bytes, results.train[DIFFUSION].peak_memory_bytes
    return Measurement(
        1 - ours / theirs,
        None,
        None,
        f"{ONE_SEED}; peak while training, same network and batch; device memory on a GPU, resident set on a CPU",
        f"No interval: one training of each ({ours / 1e6:,.0f} MB against {theirs / 1e6:,.0f} MB), and a peak varies "
        "from run to run by an unknown amount.",
    )


def step_cost(results: Results) -> Measurement:
    """Seconds per training step, flow matching over diffusion."""
    ours, theirs = (results.train[name].seconds / results.train[name].steps for name in (FLOW_MATCHING, DIFFUSION))
    return Measurement(
        ours / theirs,
        None,
        None,
        f"{ONE_SEED}; seconds of the whole training over its steps, one training after the other",
        f"No interval: one training of each ({1000 * ours:.3g} ms against {1000 * theirs:.3g} ms a step), and the "
        "machine's speed may have changed between them.",
    )


def conditioning(results: Results) -> Measurement:
    """Share of images whose class the classifier recognises, diffusion minus flow matching."""
    ours, theirs = results.evaluations[FLOW_MATCHING], results.evaluations[DIFFUSION]
    own, other = best_row(ours).accuracy, best_row(theirs).accuracy
    if own is None or other is None:
        return not_measured("the extractor is no classifier of this dataset's labels")
    found = difference_of_shares(other, own, ours.num_images * ours.num_sets, ours.confidence)
    real = (
        ""
        if results.classifier_accuracy is None
        else f"; of real test images it gets {results.classifier_accuracy:.1%}"
    )
    return Measurement(
        found.mean,
        found.low,
        found.high,
        f"{ONE_SEED}; no guidance; each at its sampler of least distance; {ours.num_images * ours.num_sets} images "
        f"each, {ours.confidence:.0%} Newcombe interval",
        f"The classifier recognises {own:.1%} of flow matching's images and {other:.1%} of diffusion's{real}. "
        "The best guidance of each needs a grid of guidance scales: the study, not built yet.",
    )


def difference_of_shares(own: float, other: float, count: int, confidence: float) -> Interval:
    """Newcombe's interval (1998, method 10) for the difference of two shares of `count` each.

    It takes the two for independent; they share their noise, so the truth is tighter, if anything.
    """
    (own_low, own_high), (other_low, other_high) = (wilson(share, count, confidence) for share in (own, other))
    difference = own - other
    return Interval(
        difference,
        difference - math.hypot(own - own_low, other_high - other),
        difference + math.hypot(own_high - own, other - other_low),
    )


def wilson(share: float, count: int, confidence: float) -> tuple[float, float]:
    z = normal_quantile(confidence)
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return min(share, centre - half), max(share, centre + half)


def real_time(results: Results) -> Measurement:
    """Not to be had from batches, which only bound it."""
    rows = [row for row in results.evaluations[FLOW_MATCHING].rows if row.nfe == 10]
    batched = f"; in batches it was {1 / min(row.seconds_per_image for row in rows):,.0f} a second" if rows else ""
    return not_measured(f"needs images timed one at a time, and evaluate times batches{batched}")


MEASUREMENTS: dict[str, Callable[[Results], Measurement]] = {
    "quality": quality,
    "evaluations": evaluations,
    "sampling_speed": sampling_speed,
    "memory": memory,
    "step_cost": step_cost,
    "conditioning": conditioning,
    "real_time": real_time,
}
