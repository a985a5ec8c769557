"""Every claim, judged over the trials of a study: the interval is across training seeds."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev

from fm.metrics.intervals import Interval, mean_interval
from pipelines.claims import CLAIMS, Definition
from pipelines.measurements.judge import MEASUREMENTS, entry
from pipelines.measurements.measurement import ONE_SEED, Measurement, not_measured
from pipelines.results import DIFFUSION, FLOW_MATCHING, Results
from pipelines.schemas import Claim, Evaluation, EvaluationRow, TrainMetrics, distance_key
from pipelines.study.plan import OPTIMAL_TRANSPORT, TOUCHINESS, TRANSFORMERS, Trial

CONFIDENCE = 0.95

# In which chance has no part: their interval is the range over the seeds.
COUNTED = ("determinism", "special_case", "memory")

# Units of what is above 0 and varies by factors: the mean is geometric, and no interval reaches below 0.
BY_FACTORS = ("ratio", "images/s")

# Stands for a ratio of 0, the end of a bound, where its logarithm is asked for.
TINY = 1e-9

OF_FIVE = 5  # evaluations at which optimal transport is judged
NEARLY_BEST = 1.1  # a learning rate is good whose distance is within 10% of the best


@dataclass(frozen=True)
class Outcome:
    """What a trial has measured.

    Attributes:
        results: of a trial that compares, else none.
    """

    trial: Trial
    train: Mapping[str, TrainMetrics]
    evaluations: Mapping[str, Evaluation]
    results: Results | None


def judge(outcomes: Sequence[Outcome]) -> list[Claim]:
    """Every claim of the table."""
    return [entry(definition, measure(definition, outcomes)) for definition in CLAIMS]


def measure(definition: Definition, outcomes: Sequence[Outcome]) -> Measurement:
    if definition.id in MEASUREMENTS:
        each = [MEASUREMENTS[definition.id](one.results) for one in outcomes if one.results is not None]
        return over_seeds(definition, each)
    arm = [one for one in outcomes if one.trial.arm == definition.id]
    if not arm:
        return not_measured(f"the study has no arm {definition.id}")
    return ARMS[definition.id](arm)


def over_seeds(definition: Definition, each: Sequence[Measurement]) -> Measurement:
    """One figure from those of several training seeds; its note has what each seed gave."""
    absent = next((one for one in each if one.measured is None), None)
    if absent is not None or not each:
        return absent or not_measured("no trial of the main arm is done")
    figures = [one.measured for one in each if one.measured is not None]
    by_seed = f"Seed by seed: {', '.join(f'{figure:.3g}' for figure in figures)}. First seed: {each[0].note}"
    how = f"{len(each)} training seeds, {CONFIDENCE:.0%} t-interval over them; of each: {of_one(each[0].protocol)}"
    if any(one.low is None or one.high is None for one in each):
        return Measurement(fmean(figures), None, None, how, f"No interval: a seed had none. {by_seed}")
    if definition.id in COUNTED:
        low, high = min(one.low or 0.0 for one in each), max(one.high or 0.0 for one in each)
        return Measurement(max(figures, key=abs), low, high, how.replace("t-interval", "range", 1), by_seed)
    how = how.replace("over them", "over them, no narrower than sampling alone makes it", 1)
    if definition.unit in BY_FACTORS:
        ends = [(math.log(one.low or TINY), math.log(one.high or TINY)) for one in each]
        found = across(list(map(math.log, figures)), ends)
        return Measurement(math.exp(found.mean), math.exp(found.low), math.exp(found.high), how, by_seed)
    return Measurement(*across(figures, [(one.low or 0.0, one.high or 0.0) for one in each]), how, by_seed)


def across(figures: Sequence[float], ends: Sequence[tuple[float, float]]) -> Interval:
    """A t-interval over training seeds, or what the seeds' own intervals leave of their mean if that is wider.

    Two seeds can agree by chance, in counted shares to the last digit.
    """
    found = mean_interval(figures, CONFIDENCE)
    within = math.hypot(*((high - low) / 2 for low, high in ends)) / len(figures)
    return Interval(found.mean, min(found.low, found.mean - within), max(found.high, found.mean + within))


def of_one(protocol: str) -> str:
    return protocol.removeprefix(f"{ONE_SEED}; ")


def geometric(ratios: Sequence[float]) -> Interval:
    """The geometric mean of ratios, with a t-interval of its logarithm."""
    return Interval(*(math.exp(value) for value in mean_interval([math.log(one) for one in ratios], CONFIDENCE)))


def transformers(outcomes: Sequence[Outcome]) -> Measurement:
    """Distance of the UNet over the transformer's, both under flow matching, each at its best."""
    ratios = [
        best(one.evaluations["flow_matching"]) / best(one.evaluations["flow_matching_transformer"]) for one in outcomes
    ]
    first = outcomes[0].evaluations
    flops = [outcomes[0].train[method].flops / 1e6 for method in ("flow_matching", "flow_matching_transformer")]
    return Measurement(
        *geometric(ratios),
        f"{protocol(outcomes)}; each at its best sampler; as many images seen, and {flops[0]:.3g} MFLOP a call and "
        f"image with the UNet, {flops[1]:.3g} with the transformer",
        f"Seed by seed: {listed(ratios)}. First seed: {best(first['flow_matching']):.3g} with the UNet, "
        f"{best(first['flow_matching_transformer']):.3g} with the transformer.",
    )


def optimal_transport(outcomes: Sequence[Outcome]) -> Measurement:
    """Distance with independent coupling over that with optimal transport, at five evaluations."""
    counts = sorted({row.nfe for row in outcomes[0].evaluations["ot_cfm"].rows if 2 <= row.nfe <= 10} | {OF_FIVE})
    at = {nfe: [coupled(one, nfe) for one in outcomes] for nfe in counts}
    beside = "; ".join(f"{nfe}: {geometric(ratios).mean:.3g}" for nfe, ratios in at.items())
    return Measurement(
        *geometric(at[OF_FIVE]),
        f"{protocol(outcomes)}; with {OF_FIVE} evaluations, each by its best sampler of so many",
        f"Seed by seed: {listed(at[OF_FIVE])}. By evaluations: {beside}.",
    )


def coupled(outcome: Outcome, nfe: int) -> float:
    independent, paired = outcome.evaluations["flow_matching"], outcome.evaluations["ot_cfm"]
    return best(independent, nfe) / best(paired, nfe)


def touchiness(outcomes: Sequence[Outcome]) -> Measurement:
    """Decades of learning rates within 10% of the best distance, diffusion minus flow matching."""
    seeds = sorted({one.trial.seed for one in outcomes})
    width = {
        method: [good_decades(sweep([one for one in outcomes if one.trial.seed == seed], method)) for seed in seeds]
        for method in (FLOW_MATCHING, DIFFUSION)
    }
    differences = [other - own for own, other in zip(width[FLOW_MATCHING], width[DIFFUSION], strict=True)]
    rates = [f"{rate:g}" for rate in sorted({learning_rate(one) for one in outcomes})]
    spread = {method: luck_of_initialisation(outcomes, method) for method in width}
    return Measurement(
        *mean_interval(differences, CONFIDENCE),
        f"{protocol(outcomes)}; learning rates {', '.join(rates)}, straight between them in logarithms, no further "
        "than the grid reaches; each at its best sampler",
        f"Flow matching {listed(width[FLOW_MATCHING])} decades, diffusion {listed(width[DIFFUSION])}, seed by seed. At "
        f"its best rate the distance varies between seeds by {spread[FLOW_MATCHING]:.1%} with flow matching and "
        f"{spread[DIFFUSION]:.1%} with diffusion (standard deviation).",
    )


def learning_rate(outcome: Outcome) -> float:
    return float(outcome.trial.overrides["train.learning_rate"])


def sweep(outcomes: Sequence[Outcome], method: str) -> dict[float, float]:
    """Learning rate -> distance, of one seed."""
    return {learning_rate(one): best(one.evaluations[method]) for one in outcomes}


def good_decades(distances: Mapping[float, float]) -> float:
    """log10 of the widest to the narrowest learning rate around the best that is within 10% of it."""
    rates = sorted(distances)
    centre = min(rates, key=lambda rate: distances[rate])
    limit = NEARLY_BEST * distances[centre]
    above, below = rates[rates.index(centre) :], rates[rates.index(centre) :: -1]
    return math.log10(edge(above, distances, limit) / edge(below, distances, limit))


def edge(rates: Sequence[float], distances: Mapping[float, float], limit: float) -> float:
    """Where the distance first exceeds the limit on the way from rate to rate; the last rate if nowhere."""
    for inner, outer in pairwise(rates):
        if distances[outer] > limit:
            share = math.log(limit / distances[inner]) / math.log(distances[outer] / distances[inner])
            return inner * math.pow(outer / inner, share)
    return rates[-1]


def luck_of_initialisation(outcomes: Sequence[Outcome], method: str) -> float:
    """Standard deviation, over the seeds, of the logarithm of the distance at the rate that is best on average."""
    by_rate: dict[float, list[float]] = {}
    for one in outcomes:
        by_rate.setdefault(learning_rate(one), []).append(math.log(best(one.evaluations[method])))
    return stdev(min(by_rate.values(), key=fmean))


def best(evaluation: Evaluation, nfe: int | None = None) -> float:
    """The distance of the best sampler, of those with so many evaluations if given."""
    rows = [row for row in evaluation.rows if nfe is None or row.nfe == nfe]
    return min(unbiased(row) for row in rows)


def unbiased(row: EvaluationRow) -> float:
    """Extrapolated to infinitely many images where the sets allow it and the result is above 0."""
    limit = fmean(row.distance_limit_sets) if row.distance_limit_sets else 0.0
    return limit if limit > 0 else row.distance


def protocol(outcomes: Sequence[Outcome]) -> str:
    one = next(iter(outcomes[0].evaluations.values()))
    seeds = {outcome.trial.seed for outcome in outcomes}
    return (
        f"{len(seeds)} training seeds, {CONFIDENCE:.0%} t-interval over them; {distance_key(one.extractor)}, "
        f"extrapolated to infinitely many images where its sets allow it; reference: {one.reference}; {one.num_sets} "
        f"sets of {one.num_images} images"
    )


def listed(figures: Sequence[float]) -> str:
    return ", ".join(f"{figure:.3g}" for figure in figures)


ARMS: dict[str, Callable[[Sequence[Outcome]], Measurement]] = {
    TRANSFORMERS: transformers,
    OPTIMAL_TRANSPORT: optimal_transport,
    TOUCHINESS: touchiness,
}
