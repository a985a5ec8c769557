"""What the same quality takes: how many calls of the network, and how much time."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import fmean, stdev

from fm.metrics.intervals import Interval, mean_interval
from pipelines.claims.claim import Definition
from pipelines.claims.distances import corrected, held_out, protocol
from pipelines.claims.measurement import Measurement
from pipelines.claims.reaching import bound, cost_to_reach, geometric_mean, opened, widened
from pipelines.claims.results import Results
from pipelines.claims.units import RATIO
from pipelines.schemas.evaluation import EvaluationRow

# How close to its own best the baseline has to come before its evaluations are counted.
MATCHED = 1.05


def evaluations(results: Results) -> Measurement:
    """Evaluations the baseline needs to come within 5% of its best, over those ours needs for the same."""
    return at_matched_distance(results, "evaluations", lambda method, row: float(row.nfe), extra_variance=0.0)


def sampling_speed(results: Results) -> Measurement:
    """Seconds per image at the same distance, the baseline's over ours."""
    seconds = {
        (method, each.solver, each.steps): fmean(each.seconds)
        for method, probe in results.probes.methods.items()
        for each in probe.timings
    }
    found = at_matched_distance(
        results, "seconds", lambda method, row: seconds[method, row.solver, row.steps], timing_variance(results)
    )
    rounds = len(seconds_per_call(results, results.roles.ours))
    how = (
        f"{found.protocol}; timed in turn, {rounds} rounds of batches of {results.probes.batch_size} on "
        f"{results.probes.device}"
    )
    calls = [1000 * fmean(seconds_per_call(results, name)) for name in results.both]
    ours, baseline = results.names
    note = (
        f"One network call took {calls[0]:.3g} ms an image for {ours} and {calls[1]:.3g} ms for {baseline}, "
        "though the network is the same; the interval includes how much that ratio varies from round to round."
    )
    return replace(found, protocol=how, note=f"{found.note} {note}".strip())


def timing_variance(results: Results) -> float:
    """Variance of the mean, over the rounds, of the logarithm of both methods' seconds per call."""
    own, other = (seconds_per_call(results, name) for name in results.both)
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
    """What the baseline pays to come within 5% of its best, over what ours pays for the same distance."""
    ours, theirs = corrected(results)
    own_cost, their_cost = (partial(cost, method) for method in results.both)
    name, other = results.names
    targets = [MATCHED * best for best in held_out(theirs.rows)]
    needed = [cost_to_reach(theirs.rows, their_cost, k, target) for k, target in enumerate(targets)]
    reached = [cost_to_reach(ours.rows, own_cost, k, target) for k, target in enumerate(targets)]
    most = max(map(own_cost, ours.rows))
    # The baseline is always within 5% of its own best.
    ratios = [(whole or math.inf) / (part or most) for whole, part in zip(needed, reached, strict=True)]
    logs = widened(
        mean_interval([math.log(ratio) for ratio in ratios], ours.confidence), extra_variance, ours.confidence
    )
    cheapest, own_cheapest = min(map(their_cost, theirs.rows)), min(map(own_cost, ours.rows))
    late, soon, own_soon = reached.count(None), needed.count(cheapest), reached.count(own_cheapest)
    notes = [
        "" if late else f"On average {geometric_mean(needed):.3g} {what} against {geometric_mean(reached):.3g}.",
        bound(
            f"An upper bound: up to {most:.3g} {what}, {name} does not come within 5% of {other}'s best",
            late,
            reached,
        ),
        bound(
            f"An upper bound: {other} is as good as it gets by its cheapest sampler already ({cheapest:.3g} {what})",
            soon,
            needed,
        ),
        bound(
            f"A lower bound: {name} is as good by its cheapest sampler already ({own_cheapest:.3g} {what})",
            own_soon,
            reached,
        ),
    ]
    how = (
        f"{protocol(results)}; the distance to match is 5% above {other}'s best, whose sampler is chosen on the "
        f"other sets; {what} interpolated between samplers"
    )
    ratio = opened(Interval(*map(math.exp, logs)), at_most=late + soon > 0, at_least=own_soon > 0)
    return Measurement(*ratio, how, " ".join(filter(None, notes)), ratios)


EVALUATIONS = Definition(
    "evaluations",
    "{Ours} matches {baseline}'s quality with fewer calls of the network.",
    "5 times fewer (100+ against 10 to 20)",
    unit=RATIO,
    better="up",
    null=1,
    threshold=5,
    of_run=evaluations,
)
SAMPLING_SPEED = Definition(
    "sampling_speed",
    "{Ours} makes an image of the same quality in less time.",
    "2.3 times faster (4.2 s → 1.8 s; 84 s → 36 s)",
    unit=RATIO,
    better="up",
    null=1,
    threshold=2.3,
    of_run=sampling_speed,
)
