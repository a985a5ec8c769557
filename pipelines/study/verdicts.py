"""Every claim, judged over the trials of a study: the interval is across training seeds."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from fm.metrics.intervals import Interval
from pipelines.claims.claim import CLAIMS, Definition
from pipelines.claims.distances import correction
from pipelines.claims.judge import MEASUREMENTS, entry
from pipelines.claims.measurement import ONE_SEED, Measurement, not_measured
from pipelines.claims.results import DIFFUSION, FLOW_MATCHING
from pipelines.schemas.comparison import Claim
from pipelines.schemas.evaluation import distance_key
from pipelines.study.outcomes import Outcome, alike, best, learning_rate, share_sets
from pipelines.study.plan import OPTIMAL_TRANSPORT, TOUCHINESS, TRANSFORMERS
from pipelines.study.seeds import CONFIDENCE, Figure, combine, from_logarithms, in_logarithms, jackknife
from pipelines.study.touchiness import Width, difference, luck_of_initialisation, width

# In which chance has no part: their interval is the range over the seeds.
COUNTED = ("determinism", "special_case", "memory")

# In which the sample sets have no part.
TIMED = ("step_cost", "real_time")

# Units of what is above 0 and varies by factors: the mean is geometric, and no interval reaches below 0.
BY_FACTORS = ("ratio", "images/s")

OF_FIVE = 5  # evaluations at which optimal transport is judged


def judge(outcomes: Sequence[Outcome]) -> list[Claim]:
    """Every claim of the table."""
    return [entry(definition, measure(definition, outcomes)) for definition in CLAIMS]


def measure(definition: Definition, outcomes: Sequence[Outcome]) -> Measurement:
    if definition.id in MEASUREMENTS:
        main = alike([one for one in outcomes if one.results is not None])
        each = [MEASUREMENTS[definition.id](one.results) for one in main if one.results is not None]
        return over_seeds(definition, each, definition.id not in TIMED and share_sets(main))
    arm = [one for one in outcomes if one.trial.arm == definition.id]
    if not arm:
        return not_measured(f"the study has no arm {definition.id}")
    return ARMS[definition.id](alike(arm))


def over_seeds(definition: Definition, each: Sequence[Measurement], shared_sets: bool) -> Measurement:
    """One figure from those of several training seeds; its note has what each seed gave."""
    absent = next((one for one in each if one.measured is None), None)
    if absent is not None or not each:
        return absent or not_measured("no trial of the main arm is done")
    unjudged = next((one for one in each if one.low is None), None)
    if unjudged is not None:  # by a time of a machine that was busy
        seen = [one.measured for one in each if one.measured is not None]
        note = f"A seed has no interval. {unjudged.note} Seed by seed: {listed(seen)}."
        return Measurement(fmean(seen), None, None, unjudged.protocol, note)
    figures = [figure(one) for one in each]
    values = [one.value for one in figures]
    by_seed = f"Seed by seed: {listed(values)}. First seed: {each[0].note}"
    bound = next((number for number, one in enumerate(figures) if math.isinf(one.high - one.low)), 0)
    if bound:
        by_seed += f" What leaves the interval open is number {bound + 1}: {each[bound].note}"
    of_each = each[0].protocol.removeprefix(f"{ONE_SEED}; ")
    if definition.id in COUNTED:
        how = f"{len(each)} training seeds, {CONFIDENCE:.0%} range over them; of each: {of_each}"
        low, high = min(one.low for one in figures), max(one.high for one in figures)
        return Measurement(max(values, key=abs), low, high, how, by_seed)
    if definition.unit in BY_FACTORS:
        found = from_logarithms(combine([in_logarithms(one) for one in figures], shared_sets))
    else:
        found = combine(figures, shared_sets)
    return Measurement(*found, f"{interval_over(len(each), shared_sets)}; of each: {of_each}", by_seed)


def figure(one: Measurement) -> Figure:
    assert one.measured is not None
    assert one.low is not None
    assert one.high is not None
    return Figure(one.measured, one.low, one.high, one.by_set)


def interval_over(seeds: int, shared_sets: bool) -> str:
    """How pipelines.study.seeds.combine makes an interval."""
    beside = (
        "with the luck of the sample sets, which they have in common"
        if shared_sets
        else "no narrower than sampling alone makes it"
    )
    return f"{seeds} training seeds, {CONFIDENCE:.0%} t-interval over them, {beside}"


def transformers(outcomes: Sequence[Outcome]) -> Measurement:
    """Distance of the UNet over the transformer's, both under flow matching, each at its best."""
    unet, transformer = "flow_matching", "flow_matching_transformer"
    each = [log_ratio(one, unet, transformer) for one in outcomes]
    first = outcomes[0].evaluations
    flops = [outcomes[0].train[method].flops / 1e6 for method in (unet, transformer)]
    return Measurement(
        *ratio(each, outcomes),
        f"{protocol(outcomes)}; each at its best sampler; as many images seen, and {flops[0]:.3g} MFLOP a call and "
        f"image with the UNet, {flops[1]:.3g} with the transformer",
        f"{one_by_one(each, outcomes)} First seed: {best(first[unet]):.3g} with the UNet, "
        f"{best(first[transformer]):.3g} with the transformer.",
    )


def optimal_transport(outcomes: Sequence[Outcome]) -> Measurement:
    """Distance with independent coupling over that with optimal transport, at five evaluations."""
    counts = sorted({row.nfe for row in outcomes[0].evaluations["ot_cfm"].rows if 2 <= row.nfe <= 10} | {OF_FIVE})
    at = {nfe: [log_ratio(one, "flow_matching", "ot_cfm", nfe) for one in outcomes] for nfe in counts}
    beside = "; ".join(f"{nfe}: {math.exp(fmean(one.value for one in each)):.3g}" for nfe, each in at.items())
    return Measurement(
        *ratio(at[OF_FIVE], outcomes),
        f"{protocol(outcomes)}; with {OF_FIVE} evaluations, each by its best sampler of so many",
        f"{one_by_one(at[OF_FIVE], outcomes)} By evaluations: {beside}.",
    )


def log_ratio(outcome: Outcome, above: str, below: str, nfe: int | None = None) -> Figure:
    """Logarithm of the ratio of two methods' distances, each by its best sampler."""
    over, under = outcome.evaluations[above], outcome.evaluations[below]

    def without(left_out: int | None) -> float:
        return math.log(best(over, nfe, left_out) / best(under, nfe, left_out))

    return jackknife(without, over.num_sets)


def ratio(each: Sequence[Figure], outcomes: Sequence[Outcome]) -> Interval:
    return from_logarithms(combine(each, share_sets(outcomes)))


def one_by_one(each: Sequence[Figure], outcomes: Sequence[Outcome]) -> str:
    """Ratios of each seed, and of each sample set if all seeds have the same."""
    seeds = f"Seed by seed: {listed(math.exp(one.value) for one in each)}."
    if not share_sets(outcomes):
        return seeds
    of_sets = (fmean(of_set) for of_set in zip(*(one.by_set for one in each), strict=True))
    return f"{seeds} Set by set, over the seeds: {listed(map(math.exp, of_sets))}."


def touchiness(outcomes: Sequence[Outcome]) -> Measurement:
    """Decades of learning rates within 10% of the best distance, diffusion minus flow matching."""
    seeds = sorted({one.trial.seed for one in outcomes})
    by_seed = [[one for one in outcomes if one.trial.seed == seed] for seed in seeds]
    own, other = ([width(of_seed, method) for of_seed in by_seed] for method in (FLOW_MATCHING, DIFFUSION))
    rates = [f"{rate:g}" for rate in sorted({learning_rate(one) for one in outcomes})]
    spread = {method: luck_of_initialisation(outcomes, method) for method in (FLOW_MATCHING, DIFFUSION)}
    return Measurement(
        *combine([difference(of_seed) for of_seed in by_seed], share_sets(outcomes)),
        f"{protocol(outcomes)}; learning rates {', '.join(rates)}, straight between them in logarithms; each at its "
        "best sampler",
        f"{cut_off(own, other)}Flow matching {', '.join(map(str, own))} decades, diffusion "
        f"{', '.join(map(str, other))}, seed by seed. At its best rate the distance varies between seeds by "
        f"{spread[FLOW_MATCHING]:.1%} with flow matching and {spread[DIFFUSION]:.1%} with diffusion (standard "
        "deviation).",
    )


def cut_off(own: Sequence[Width], other: Sequence[Width]) -> str:
    """What the end of the grid does to the claim; nothing where it lies beyond all good rates."""
    both = [*own, *other]
    short, at_edge = sum(one.cut_off for one in both), sum(one.best_at_edge for one in both)
    if not short:
        return ""
    one_sided = any(one.cut_off for one in own) != any(one.cut_off for one in other)
    return (
        f"The grid is too small: it cuts off {short} of {len(both)} ranges of good rates, and the best rate is its "
        f"first or last in {at_edge}. Such a range is wider than it seems, so the difference "
        f"{'is a bound' if one_sided else 'has no interval'}. "
    )


def protocol(outcomes: Sequence[Outcome]) -> str:
    evaluations = [evaluation for one in outcomes for evaluation in one.evaluations.values()]
    one = evaluations[0]
    seeds = {outcome.trial.seed for outcome in outcomes}
    return (
        f"{interval_over(len(seeds), share_sets(outcomes))}; {distance_key(one.extractor)}, {correction(evaluations)}; "
        f"reference: {one.reference}; {one.num_sets} sets of {one.num_images} images"
    )


def listed(figures: Iterable[float]) -> str:
    return ", ".join(f"{figure:.3g}" for figure in figures)


ARMS: dict[str, Callable[[Sequence[Outcome]], Measurement]] = {
    TRANSFORMERS: transformers,
    OPTIMAL_TRANSPORT: optimal_transport,
    TOUCHINESS: touchiness,
}
