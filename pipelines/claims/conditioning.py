"""How often an image shows the class that was asked for."""

from collections.abc import Sequence

from pipelines.claims.claim import Definition
from pipelines.claims.measurement import ONE_SEED, Measurement, not_measured
from pipelines.claims.proportions import difference_of_proportions
from pipelines.claims.results import Results
from pipelines.claims.side_by_side import confidence
from pipelines.claims.units import DIFFERENCE
from pipelines.schemas.probes import Guided, best_guidance


def conditioning(results: Results) -> Measurement:
    """The part of the images whose class is recognised, the baseline's minus ours, at the best guidance of each."""
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
    "{Ours} is less mature in conditioning: its images show the class that was asked for less often.",
    "less often",
    unit=DIFFERENCE,
    better="up",
    null=0,
    threshold=0,
    of_run=conditioning,
)
