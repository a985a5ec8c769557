"""What it costs to come over from a baseline that is trained already, beside a training from scratch."""

import math
from collections.abc import Sequence
from statistics import fmean

from fm.metrics.intervals import Interval, mean_interval
from pipelines.claims.claim import Definition
from pipelines.claims.distances import alike, best_row, protocol, reduction
from pipelines.claims.measurement import Measurement, not_measured
from pipelines.claims.reaching import bound, cost_to_reach, geometric_mean, opened
from pipelines.claims.results import Results
from pipelines.claims.units import PART
from pipelines.schemas.evaluation import Evaluation, Snapshot
from pipelines.words import method_in_text, percent

SNAPSHOTS = "train.snapshots=7"


def how_to_measure(over: str) -> str:
    """The command that adds a row of that name, which goes over, and measures it along its training."""
    return f'make run SET="methods.{over}=@methods/from_diffusion.yaml {SNAPSHOTS}" measures it'


def migration(results: Results) -> Measurement:
    """The part of a training from scratch that going over saves until it is as good as that one ends."""
    roles = results.roles
    over = results.evaluations.get(roles.over)
    if over is None:
        return not_measured(f"no row goes on from the {results.names[1]} model: {how_to_measure(roles.over)}")
    if not goes_on_from_baseline(results, roles.over):
        return not_measured(
            f"{method_in_text(roles.over)} does not go on from the {results.names[1]} model: compare.over must name a "
            f"row with start: {roles.baseline}"
        )
    if not over.along:
        return not_measured(f'the distance along the training is not there: make run SET="{SNAPSHOTS}" adds it')
    further = [results.evaluations[roles.further]] if goes_on_from_baseline(results, roles.further) else []
    ours, over, *others = alike([results.pair[0], over, *further])
    ends, whole = best_row(ours).distance_sets, float(results.train[roles.ours].images_seen)
    reached = [cost_to_reach(over.along, lambda one: own_images(results, one), k, end) for k, end in enumerate(ends)]
    cost = cost_of_a_step(results)
    saved = [1 - (seen or whole) / whole * cost for seen in reached]
    first = own_images(results, over.along[0])
    late, soon = reached.count(None), reached.count(first)
    found = opened(mean_interval(saved, ours.confidence), at_most=late > 0, at_least=soon > 0)
    name = results.names[0]
    notes = [
        f"As good after {geometric_mean(reached):,.0f} images as {name} from scratch after {whole:,.0f}."
        if any(reached)
        else "",
        bound("An upper bound: it is not as good within the budget", late, reached),
        bound("A lower bound: its first network is as good already", soon, reached),
        equal_budget(over, ours, f"as {name} from scratch"),
        going_on(results, over, others),
        f"What the {results.names[1]} model itself took is not counted.",
    ]
    how = (
        f"{protocol(results)}; images seen since it went over when the final distance of {name} from scratch is first "
        f"reached, straight in logarithms between {len(over.along)} networks of the training, each method's by its own "
        f"best sampler, times the cost of a step timed in turn ({cost:.3g} of that from scratch)"
    )
    return Measurement(*found, how, " ".join(filter(None, notes)), saved)


def goes_on_from_baseline(results: Results, method: str) -> bool:
    """Whether a row's network is the baseline's, trained on."""
    before = results.train[method].before if method in results.train else None
    return before is not None and before.method == results.roles.baseline


def cost_of_a_step(results: Results) -> float:
    """Of the network that went over, beside one from scratch: its changes of time and scale cost a little."""
    over, ours = (results.probes.methods[name].step_seconds for name in (results.roles.over, results.roles.ours))
    return math.exp(fmean(math.log(one / other) for one, other in zip(over, ours, strict=True)))


def own_images(results: Results, one: Snapshot) -> float:
    """Images seen in the training that went over, without those of the network that it began with."""
    before = results.train[results.roles.over].before
    return float(one.images_seen - (before.images_seen if before is not None else 0))


def equal_budget(over: Evaluation, other: Evaluation, than: str) -> str:
    """How the distances compare after as many images."""
    found = reduction(over.rows, other.rows, over.confidence)
    return f"After as many images {than} its distance is {lower(found)}."


def going_on(results: Results, over: Evaluation, others: Sequence[Evaluation]) -> str:
    """The opposite control: as many images more of what the baseline is trained for."""
    further, baseline = results.roles.further, results.names[1]
    if not others:
        return (
            f"Whether that many images more of {baseline} would do as well is not measured: "
            f'make run SET="methods.{further}=@methods/more_diffusion.yaml" adds it.'
        )
    return equal_budget(over, others[0], f"more of {baseline} ({method_in_text(further)})")


def lower(found: Interval) -> str:
    if found.mean < 0:
        return f"{percent(-found.mean)} higher ({percent(-found.high)} to {percent(-found.low)})"
    return f"{percent(found.mean)} lower ({percent(found.low)} to {percent(found.high)})"


CLAIM = Definition(
    "migration",
    "Going over to {ours} from a trained {baseline} model takes less training than {ours} from scratch.",
    "less (a migration cost, without a figure)",
    unit=PART,
    better="up",
    null=0,
    threshold=0,
    of_run=migration,
)
