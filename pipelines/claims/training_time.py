"""How soon a training reaches the baseline's final quality."""

import math
from statistics import fmean, stdev

from fm.metrics.intervals import Interval, mean_interval
from pipelines.claims.claim import Definition
from pipelines.claims.distances import corrected, protocol
from pipelines.claims.measurement import Measurement, not_measured
from pipelines.claims.reaching import bound, cost_to_reach, geometric_mean, opened, widened
from pipelines.claims.results import Results
from pipelines.claims.units import PART

THE_SOURCE_ON_TIME = (
    "The source contradicts itself: 9 days instead of 14 are 36% less time, and the same text calls it 55% faster"
)


def training_time(results: Results) -> Measurement:
    """The part of the baseline's training time that ours saves when it becomes as good."""
    ours, theirs = corrected(results)
    if not ours.along or not theirs.along:
        return not_measured(
            "needs the distance along the training: set train.snapshots, to 7 for instance. " + THE_SOURCE_ON_TIME
        )
    targets, whole = theirs.along[-1].distance_sets, float(theirs.along[-1].images_seen)
    reached = [cost_to_reach(ours.along, lambda one: float(one.images_seen), k, d) for k, d in enumerate(targets)]
    a_step = [math.log(own / other) for own, other in zip(*(one.step_seconds for one in results.probed), strict=True)]
    name, _ = results.names
    baseline = results.train[results.roles.baseline].seconds
    of_all = baseline / (baseline + results.encoding_seconds)  # what encoding took is saved by neither
    how = (
        f"{protocol(results)}; images seen when the baseline's final distance is first reached, straight in logarithms "
        f"between {len(ours.along)} networks of the training, each method's by its own best sampler, times the cost of "
        f"a step timed in turn ({math.exp(fmean(a_step)):.3g} of the baseline's)"
        + ("; what it took to encode the data counts for both" if results.encoding_seconds else "")
    )
    if not any(reached):
        # Steps that cost the same as far as timing can tell save nothing either.
        step = mean_interval(a_step, ours.confidence)
        saved = of_all * (1 - math.exp(step.low)) if step.high < 0 else 0.0
        note = f"An upper bound: {name} is never as good within the budget. {THE_SOURCE_ON_TIME}."
        return Measurement(saved, -math.inf, saved, how, note, [saved] * len(reached))
    logs = [math.log((seen or whole) / whole) + fmean(a_step) for seen in reached]
    spread = stdev(a_step) ** 2 / len(a_step)
    ratio = widened(mean_interval(logs, ours.confidence), spread, ours.confidence)
    saving = Interval(*(of_all * (1 - math.exp(log)) for log in (ratio.mean, ratio.high, ratio.low)))
    late, soon = reached.count(None), reached.count(float(ours.along[0].images_seen))
    notes = [
        f"As good after {geometric_mean(reached):,.0f} images as the baseline after {whole:,.0f}.",
        bound(f"An upper bound: {name} is not as good within the budget", late, reached),
        bound("A lower bound: its first network is as good already", soon, reached),
        f"{THE_SOURCE_ON_TIME}.",
    ]
    found = opened(saving, at_most=late > 0, at_least=soon > 0)
    by_set = [of_all * (1 - math.exp(log)) for log in logs]
    return Measurement(*found, how, " ".join(filter(None, notes)), by_set)


CLAIM = Definition(
    "training_time",
    "{Ours} reaches the {baseline} baseline's final quality in less training time.",
    "36% less (14 → 9 days)",
    unit=PART,
    better="up",
    null=0,
    threshold=0.36,
    of_run=training_time,
)
