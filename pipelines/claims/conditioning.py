"""How often an image shows what was asked for: the class, or the caption."""

from collections.abc import Sequence

from fm.metrics.intervals import mean_interval
from pipelines.claims.claim import Definition
from pipelines.claims.measurement import ONE_SEED, Measurement, not_measured
from pipelines.claims.proportions import difference_of_proportions
from pipelines.claims.results import Results
from pipelines.claims.side_by_side import confidence
from pipelines.claims.units import DIFFERENCE
from pipelines.schemas.evaluation import CaptionFigure, Following
from pipelines.schemas.probes import Guided, best_guidance
from pipelines.words import evaluations, percent, solver_name


def conditioning(results: Results) -> Measurement:
    """The share of images that show what was asked for, the baseline's minus ours."""
    both = [one.captions for one in results.pair if one.captions is not None]
    return of_captions(results, both) if len(both) == len(results.pair) else of_classes(results)


def of_captions(results: Results, both: Sequence[Following]) -> Measurement:
    """The part of the images that are found by their captions, those of test images."""
    found = [one.find("retrieval") for one in both]
    if not all(found):
        return not_measured("the captions of test images are too few, or the same")
    own, other = (first for first, *_ in found)  # of a hundred; what follows is of all
    differences = [theirs - ours for ours, theirs in zip(own.share_sets, other.share_sets, strict=True)]
    level, among = confidence(results), own.what.split(" of ")[-1]
    each = zip(results.names, both, (own, other), strict=True)
    return Measurement(
        *mean_interval(differences, level),
        f"{ONE_SEED}; share of images whose caption is, to two towers trained on the data, the nearest of {among}; "
        f"{own.count} captions of test images in {len(own.share_sets)} sets paired by noise, {level:.0%} t-interval "
        "over the sets; each at the sampler that decides",
        f"By their captions are found {' and '.join(found_by_captions(*one) for one in each)}; {percent(own.ceiling)} "
        f"of real test images, {percent(own.floor)} by shuffled captions.{told_apart(results.names, both)}",
        differences,
    )


def found_by_captions(method: str, by: Following, found: CaptionFigure) -> str:
    how = f"{solver_name(by.sampler.label)}, {evaluations(by.nfe)}"
    return f"{percent(found.share)} of {method}'s images ({how})"


def told_apart(methods: Sequence[str], both: Sequence[Following]) -> str:
    """What the methods themselves say of captions."""
    ranked = [(method, one) for method, by in zip(methods, both, strict=True) for one in by.find("ranking")[:1]]
    if not ranked:
        return ""
    each = " and ".join(f"{method} in {percent(one.share)}" for method, one in ranked)
    return f" A test image's caption has a lower loss than another one by {each} of the cases."


def of_classes(results: Results) -> Measurement:
    """The part of the images whose class is recognised, at the best guidance of each."""
    ours, theirs = results.probed
    own_name, their_name = results.names
    if not ours.guidance or not theirs.guidance:
        return not_measured("the extractor is no classifier of this dataset's labels")
    own, other = best_guidance(ours.guidance), best_guidance(theirs.guidance)
    count, level = results.probes.guidance_images, confidence(results)
    found = difference_of_proportions(other.recognised[-1], own.recognised[-1], count, level)
    real = results.classifier_accuracy
    return Measurement(
        *found,
        f"{ONE_SEED}; each at the sampler that decides, {at_scales(ours.guidance, theirs.guidance)}, read on {count} "
        f"images; {level:.0%} Newcombe interval",
        f"The classifier recognises {recognised(own_name, own, ours.guidance)}, and "
        f"{recognised(their_name, other, theirs.guidance)}"
        + ("." if real is None else f"; {real:.1%} of real test images."),
    )


def at_scales(*each: Sequence[Guided]) -> str:
    """How the scale of guidance is chosen, of those that were tried."""
    scales = sorted({one.scale for rows in each for one in rows})
    if scales == [1]:
        return "without guidance, as none was trained for it (train.label_dropout is 0)"
    return f"at the scale of guidance, of {', '.join(f'{one:g}' for one in scales)}, that is best on other images"


def recognised(method: str, best: Guided, rows: list[Guided]) -> str:
    plain = next(one for one in rows if one.scale == 1)
    return (
        f"{best.recognised[-1]:.1%} of {method}'s images at scale {best.scale:g} "
        f"({best.solver}, {best.nfe} evaluations) and {plain.recognised[-1]:.1%} without guidance ({plain.nfe})"
    )


CLAIM = Definition(
    "conditioning",
    "{Ours} is less mature in conditioning: its images show what was asked for less often.",
    "less often",
    unit=DIFFERENCE,
    better="up",
    null=0,
    threshold=0,
    of_run=conditioning,
)
