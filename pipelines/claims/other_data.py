"""Whether flow matching gains more over diffusion on videos and volumes than on still pictures.

"Extends more naturally" is read as: what it gains over diffusion grows. A gain is diffusion's distance over its floor
by flow matching's over its own, which is the same and cancels. Distances of two kinds of data, by two extractors, are
never compared with each other, only the gains are.
"""

import math
from collections.abc import Sequence
from functools import partial
from statistics import fmean

from pipelines.claims.arms import log_ratio, protocol
from pipelines.claims.claim import Definition
from pipelines.claims.measurement import Measurement, not_measured
from pipelines.claims.outcomes import Outcome, best, share_sets
from pipelines.claims.seeds import Figure, combine, from_logarithms, listed
from pipelines.claims.units import RATIO
from pipelines.words import method_in_text

EQUAL = 0.1
"""By how much at most the compute of two trainings differs that are called equal."""


def growth(kind: str, of_kind: Sequence[Outcome], stills: Sequence[Outcome]) -> Measurement:
    """The gain of ours over the baseline on data of this kind, over that on the main arm's still pictures."""
    ours, baseline = of_kind[0].roles.ours, of_kind[0].roles.baseline
    if any(name not in one.evaluations for one in (*of_kind, *stills) for name in (ours, baseline)):
        return not_measured(f"the arm and the main arm need the methods {ours} and {baseline}, in every trial")
    seeds = sorted({one.seed for one in of_kind} & {one.seed for one in stills})
    if len(seeds) < 2:
        return not_measured("the arm and the main arm need two training seeds in common")
    spent, spent_on_stills = compute(of_kind[0], ours), compute(stills[0], ours)
    if abs(spent / spent_on_stills - 1) > EQUAL:
        return not_measured(unequal(kind, of_kind[0], spent, spent_on_stills))
    pairs = [(trial(of_kind, seed), trial(stills, seed)) for seed in seeds]
    gains = [tuple(log_ratio(one, baseline, ours) for one in pair) for pair in pairs]
    found = combine([less(*pair) for pair in gains], share_sets(of_kind) or share_sets(stills))
    moving, still = ([math.exp(one.value) for one in each] for each in zip(*gains, strict=True))
    return Measurement(
        *from_logarithms(found),
        f"{protocol(of_kind)}; still pictures: {protocol(stills)}; each method at its best sampler; "
        f"{spent:.2g} FLOP of training on {kind} and {spent_on_stills:.2g} on still pictures",
        f"On {kind} {method_in_text(baseline)}'s distance is {geometric(moving):.3g} times that of "
        f"{method_in_text(ours)} ({listed(moving)}, seed by seed), on still pictures {geometric(still):.3g} times "
        f"({listed(still)}). {at_best(kind, of_kind[0])}",
    )


def trial(outcomes: Sequence[Outcome], seed: int) -> Outcome:
    return next(one for one in outcomes if one.seed == seed)


def compute(outcome: Outcome, method: str) -> float:
    """Floating-point operations of a training: a call's, three times (forward, and twice that back), an image."""
    trained = outcome.train[method]
    return 3.0 * trained.flops * trained.images_seen


def unequal(kind: str, outcome: Outcome, spent: float, on_stills: float) -> str:
    seen = outcome.train[outcome.roles.ours].images_seen
    return (
        f"the trainings are not of equal compute: {spent:.2g} FLOP on {kind} and {on_stills:.2g} on still pictures; "
        f"with train.images_seen {round(seen * on_stills / spent):,} in place of {seen:,} they would be"
    )


def less(figure: Figure, other: Figure) -> Figure:
    """The difference of two that were measured by sample sets of their own."""
    value = figure.value - other.value
    down = math.hypot(figure.value - figure.low, other.high - other.value)
    up = math.hypot(figure.high - figure.value, other.value - other.low)
    return Figure(value, value - down, value + up)


def geometric(ratios: Sequence[float]) -> float:
    return math.exp(fmean(map(math.log, ratios)))


def at_best(kind: str, outcome: Outcome) -> str:
    ours, baseline = (outcome.evaluations[name] for name in (outcome.roles.ours, outcome.roles.baseline))
    return (
        f"First seed, on {kind}: {best(ours):.3g} and {best(baseline):.3g} from the data, whose own test split is "
        f"{ours.floor:.3g} from them as {ours.num_images} at a time."
    )


def extends_to(id: str, kind: str) -> Definition:
    return Definition(
        id,
        f"{{Ours}} extends more naturally to {kind}: there it gains more over {{baseline}} than on still pictures.",
        "more naturally",
        unit=RATIO,
        better="up",
        null=1,
        threshold=1,
        beside_main=partial(growth, kind),
    )


VIDEO = extends_to("video", "videos")
VOLUMES = extends_to("volumes", "volumes")
