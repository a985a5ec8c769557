"""Claims that the distances of the evaluate stages decide: how good, for how many evaluations, in how much time."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean, stdev
from typing import TypeVar

from fm.metrics.intervals import Interval, mean_interval
from pipelines.claims.measurement import ONE_SEED, Measurement, not_measured
from pipelines.claims.proportions import normal_quantile
from pipelines.claims.results import DIFFUSION, FLOW_MATCHING, Results
from pipelines.schemas.evaluation import Evaluation, EvaluationRow, Snapshot, distance_key

EDM = "edm"

Figure = TypeVar("Figure", EvaluationRow, Snapshot)

THE_SOURCE_ON_TIME = (
    "The source contradicts itself: 9 days instead of 14 are 36% less time, and the same text calls it 55% faster"
)

EXTRAPOLATED = {
    "jackknife": "by a jackknife over the sets",
    "halves": "from each set and its halves, which reads low where a set has few images more than features",
}

# How close to its own best the baseline has to come before its evaluations are counted.
MATCHED = 1.05


def paired_difference(ours: EvaluationRow, theirs: EvaluationRow, confidence: float) -> Interval:
    """By how much the distance of `theirs` exceeds that of `ours`; set k of both started from the same noise."""
    pairs = zip(ours.distance_sets, theirs.distance_sets, strict=True)
    return mean_interval([other - own for own, other in pairs], confidence)


def quality(results: Results) -> Measurement:
    """Relative reduction of the distance, each method at its best."""
    ours, theirs = corrected(results)
    found = reduction(ours.rows, theirs.rows, ours.confidence)
    notes = [other_readings(results)]
    for nfe in (10, 20, 50):
        own, other = ([row for row in evaluation.rows if row.nfe == nfe] for evaluation in (ours, theirs))
        if own and other:
            at = reduction(own, other, ours.confidence)
            notes.append(f"At {nfe} evaluations: {at.mean:.0%} ({at.low:.0%} to {at.high:.0%}).")
    notes.append(stronger_baseline(results))
    chosen = "each method's sampler is chosen on the other sets and read on this one, set by set"
    shares = reductions(ours.rows, theirs.rows)
    return Measurement(*found, f"{protocol(results)}; {chosen}", " ".join(notes).strip(), shares)


def corrected(results: Results) -> tuple[Evaluation, Evaluation]:
    """Flow matching and diffusion, each set's distance replaced by its limit for many images; or as they are.

    The bias of a Frechet distance is much the same for both and shrinks their ratio, so ratios are taken without it
    where that can be done for both.
    """
    ours, theirs = both = results.evaluations[FLOW_MATCHING], results.evaluations[DIFFUSION]
    return (with_limits(ours), with_limits(theirs)) if have_limits(both) else both


def have_limits(evaluations: Iterable[Evaluation]) -> bool:
    """Whether every set of every figure has a limit above 0, of which ratios can be taken. If not, none may be used:
    a limit beside another's raw distance would say much of the bias and nothing of the methods."""
    limits = [figure.distance_limit_sets for each in evaluations for part in (each.rows, each.along) for figure in part]
    return all(values and min(values) > 0 for values in limits)


def with_limits(evaluation: Evaluation) -> Evaluation:
    def limits(figures: Sequence[Figure]) -> list[Figure]:
        return [each.model_copy(update={"distance_sets": each.distance_limit_sets}) for each in figures]

    return evaluation.model_copy(update={"rows": limits(evaluation.rows), "along": limits(evaluation.along)})


def reduction(ours: list[EvaluationRow], theirs: list[EvaluationRow], confidence: float) -> Interval:
    return mean_interval(reductions(ours, theirs), confidence)


def reductions(ours: list[EvaluationRow], theirs: list[EvaluationRow]) -> list[float]:
    """Set by set."""
    return [1 - own / other for own, other in zip(held_out(ours), held_out(theirs), strict=True)]


def held_out(rows: list[EvaluationRow]) -> list[float]:
    """The best row's distance, set by set.

    The row is chosen on all the other sets: whoever picks the smallest of several noisy figures and
    reports that same figure flatters the method with more rows.
    """
    sets = range(len(rows[0].distance_sets))

    def elsewhere(row: EvaluationRow, k: int) -> float:
        return sum(row.distance_sets) - row.distance_sets[k]

    return [min(rows, key=lambda row: elsewhere(row, k)).distance_sets[k] for k in sets]


def other_readings(results: Results) -> str:
    """The same reduction by raw distances, whose common bias shrinks it, and by the kernel distance, which has none."""
    ours, theirs = results.evaluations[FLOW_MATCHING], results.evaluations[DIFFUSION]
    own, other = best_row(ours), best_row(theirs)
    text = f"Raw distances {own.distance:.3g} against {other.distance:.3g}: {1 - own.distance / other.distance:.0%}"
    if other.kid > 0:
        text += f"; by the kernel distance (unbiased, no paired interval) {1 - own.kid / other.kid:.0%}"
    return text + "."


def stronger_baseline(results: Results) -> str:
    """What EDM, the strongest diffusion setting there is, says of the baseline, or how to have it said."""
    theirs, edm = results.evaluations[DIFFUSION], results.evaluations.get(EDM)
    if edm is None:
        return "No EDM beside it: methods.edm=@methods/edm.yaml shows whether the baseline is weak on this budget."
    own, other = best_row(edm), best_row(theirs)
    gap = paired_difference(own, other, theirs.confidence)
    if gap.low <= 0:
        return f"EDM reaches {own.distance:.3g}, which is no better than the baseline beyond doubt."
    ours = best_row(results.evaluations[FLOW_MATCHING])
    return (
        f"The baseline looks undertrained: EDM, diffusion too, reaches {own.distance:.3g} on the same budget "
        f"({gap.mean:.3g} lower, {gap.low:.3g} to {gap.high:.3g}), flow matching {ours.distance:.3g}."
    )


def best_row(evaluation: Evaluation) -> EvaluationRow:
    return min(evaluation.rows, key=lambda row: row.distance)


def evaluations(results: Results) -> Measurement:
    """Evaluations diffusion needs to come within 5% of its best, over those flow matching needs for the same."""
    return at_matched_distance(results, "evaluations", lambda method, row: float(row.nfe), extra_variance=0.0)


def sampling_speed(results: Results) -> Measurement:
    """Seconds per image at the same distance, diffusion over flow matching."""
    seconds = {
        (method, each.solver, each.steps): fmean(each.seconds)
        for method, probe in results.probes.methods.items()
        for each in probe.timings
    }
    found = at_matched_distance(
        results, "seconds", lambda method, row: seconds[method, row.solver, row.steps], timing_variance(results)
    )
    rounds = len(seconds_per_call(results, FLOW_MATCHING))
    how = (
        f"{found.protocol}; timed in turn, {rounds} rounds of batches of {results.probes.batch_size} on "
        f"{results.probes.device}"
    )
    calls = [1000 * fmean(seconds_per_call(results, name)) for name in (FLOW_MATCHING, DIFFUSION)]
    note = (
        f"One network call took {calls[0]:.3g} ms an image for flow matching and {calls[1]:.3g} ms for diffusion, "
        "though the network is the same; the interval includes how much that ratio varies from round to round."
    )
    return replace(found, protocol=how, note=f"{found.note} {note}".strip())


def timing_variance(results: Results) -> float:
    """Variance of the mean, over the rounds, of the logarithm of both methods' seconds per call."""
    own, other = (seconds_per_call(results, name) for name in (FLOW_MATCHING, DIFFUSION))
    ratios = [math.log(b / a) for a, b in zip(own, other, strict=True)]
    return stdev(ratios) ** 2 / len(ratios) if len(ratios) > 1 else 0.0


def seconds_per_call(results: Results, method: str) -> list[float]:
    """Geometric mean over a method's samplers, round by round: every call is of the same network."""
    calls = {(row.solver, row.steps): row.nfe for row in results.evaluations[method].rows}
    each = [
        [seconds / calls[one.solver, one.steps] for seconds in one.seconds]
        for one in results.probes.methods[method].timings
    ]
    return [geometric_mean(in_round) for in_round in zip(*each, strict=True)]


def at_matched_distance(
    results: Results, what: str, cost: Callable[[str, EvaluationRow], float], extra_variance: float
) -> Measurement:
    """What diffusion pays to come within 5% of its best, over what flow matching pays for the same distance."""
    ours, theirs = corrected(results)
    own_cost, their_cost = partial(cost, FLOW_MATCHING), partial(cost, DIFFUSION)
    targets = [MATCHED * best for best in held_out(theirs.rows)]
    needed = [cost_to_reach(theirs.rows, their_cost, k, target) for k, target in enumerate(targets)]
    reached = [cost_to_reach(ours.rows, own_cost, k, target) for k, target in enumerate(targets)]
    most = max(map(own_cost, ours.rows))
    # Diffusion is always within 5% of its own best.
    ratios = [(other or math.inf) / (own or most) for other, own in zip(needed, reached, strict=True)]
    logs = widened(
        mean_interval([math.log(ratio) for ratio in ratios], ours.confidence), extra_variance, ours.confidence
    )
    cheapest, own_cheapest = min(map(their_cost, theirs.rows)), min(map(own_cost, ours.rows))
    late, soon, own_soon = reached.count(None), needed.count(cheapest), reached.count(own_cheapest)
    notes = [
        "" if late else f"On average {geometric_mean(needed):.3g} {what} against {geometric_mean(reached):.3g}.",
        bound(
            f"An upper bound: up to {most:.3g} {what}, flow matching does not come within 5% of diffusion's best",
            late,
            reached,
        ),
        bound(
            f"An upper bound: diffusion is as good as it gets by its cheapest sampler already ({cheapest:.3g} {what})",
            soon,
            needed,
        ),
        bound(
            f"A lower bound: flow matching is as good by its cheapest sampler already ({own_cheapest:.3g} {what})",
            own_soon,
            reached,
        ),
    ]
    how = (
        f"{protocol(results)}; the distance to match is 5% above diffusion's best, whose sampler is chosen on the "
        f"other sets; {what} interpolated between samplers"
    )
    ratio = opened(Interval(*map(math.exp, logs)), at_most=late + soon > 0, at_least=own_soon > 0)
    return Measurement(*ratio, how, " ".join(filter(None, notes)), ratios)


def bound(why: str, count: int, sets: Sequence[float | None]) -> str:
    """Why a figure is but a bound in so many of its sets; nothing to say in none."""
    return f"{why}, in {count} of {len(sets)} sets." if count else ""


def opened(interval: Interval, at_most: bool, at_least: bool) -> Interval:
    """Without a lower end where the figures are at most what they seem, without an upper end where they are at least.

    A bound is as good for the other end as an exact figure: it errs towards that end.
    """
    low, high = -math.inf if at_most else interval.low, math.inf if at_least else interval.high
    return Interval(interval.mean, low, high)


def widened(interval: Interval, variance: float, confidence: float) -> Interval:
    """The interval of a value that has another, independent error of this variance besides."""
    reach = math.hypot(interval.high - interval.mean, normal_quantile(confidence) * math.sqrt(variance))
    return Interval(interval.mean, interval.mean - reach, interval.mean + reach)


def geometric_mean(values: Sequence[float | None]) -> float:
    return math.exp(fmean(math.log(value) for value in values if value))


def cost_to_reach(rows: Sequence[Figure], cost: Callable[[Figure], float], k: int, target: float) -> float | None:
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


def training_time(results: Results) -> Measurement:
    """Share of the diffusion baseline's training time that flow matching saves when it becomes as good."""
    ours, theirs = corrected(results)
    if not ours.along or not theirs.along:
        return not_measured(
            "needs the distance along the training: set train.snapshots, to 7 for instance. " + THE_SOURCE_ON_TIME
        )
    targets, whole = theirs.along[-1].distance_sets, float(theirs.along[-1].images_seen)
    reached = [cost_to_reach(ours.along, lambda one: float(one.images_seen), k, d) for k, d in enumerate(targets)]
    a_step = [math.log(own / other) for own, other in zip(*step_seconds(results), strict=True)]
    how = (
        f"{protocol(results)}; images seen when the baseline's final distance is first reached, straight in logarithms "
        f"between {len(ours.along)} networks of the training, each method's by its own best sampler, times the cost of "
        f"a step timed in turn ({math.exp(fmean(a_step)):.3g} of the baseline's)"
    )
    if not any(reached):
        # Steps that cost the same as far as timing can tell save nothing either.
        step = mean_interval(a_step, ours.confidence)
        saved = 1 - math.exp(step.low) if step.high < 0 else 0.0
        note = f"An upper bound: flow matching is never as good within the budget. {THE_SOURCE_ON_TIME}."
        return Measurement(saved, -math.inf, saved, how, note, [saved] * len(reached))
    logs = [math.log((seen or whole) / whole) + fmean(a_step) for seen in reached]
    spread = stdev(a_step) ** 2 / len(a_step)
    ratio = widened(mean_interval(logs, ours.confidence), spread, ours.confidence)
    saving = Interval(1 - math.exp(ratio.mean), 1 - math.exp(ratio.high), 1 - math.exp(ratio.low))
    late, soon = reached.count(None), reached.count(float(ours.along[0].images_seen))
    notes = [
        f"As good after {geometric_mean(reached):,.0f} images as the baseline after {whole:,.0f}.",
        bound("An upper bound: flow matching is not as good within the budget", late, reached),
        bound("A lower bound: its first network is as good already", soon, reached),
        f"{THE_SOURCE_ON_TIME}.",
    ]
    found = opened(saving, at_most=late > 0, at_least=soon > 0)
    by_set = [1 - math.exp(log) for log in logs]
    return Measurement(*found, how, " ".join(filter(None, notes)), by_set)


def step_seconds(results: Results) -> tuple[list[float], list[float]]:
    ours, theirs = (results.probes.methods[name].step_seconds for name in (FLOW_MATCHING, DIFFUSION))
    return ours, theirs


def protocol(results: Results) -> str:
    ours, theirs = results.evaluations[FLOW_MATCHING], results.evaluations[DIFFUSION]
    return (
        f"{ONE_SEED}; {distance_key(ours.extractor)}, reference: {ours.reference}; {ours.num_sets} independent sets of "
        f"{ours.num_images} images paired by noise, {ours.confidence:.0%} t-interval over the sets; "
        f"{correction([ours, theirs])}"
    )


def correction(evaluations: Sequence[Evaluation]) -> str:
    """What is done about the bias of few images, for all of them alike."""
    one = evaluations[0]
    if not have_limits(evaluations):
        return f"biased upwards at so few images (floor {one.floor:.3g})"
    return (
        f"extrapolated to infinitely many images {EXTRAPOLATED[one.extrapolation]} (floor at {one.num_images} images "
        f"{one.floor:.3g})"
    )
