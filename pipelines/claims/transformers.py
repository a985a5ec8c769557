"""Whether a transformer does better than a UNet, each in an arm's method of its own."""

from collections.abc import Sequence

from pipelines.claims.arms import log_ratio, one_by_one, other, protocol, ratio
from pipelines.claims.claim import Definition
from pipelines.claims.measurement import Measurement, not_measured
from pipelines.claims.outcomes import Outcome, best
from pipelines.claims.units import RATIO


def transformers(outcomes: Sequence[Outcome]) -> Measurement:
    """Distance of ours, which has the UNet, over that of the method beside it, each at its best."""
    unet, transformer = outcomes[0].roles.ours, other(outcomes)
    if transformer is None:
        return not_measured(f"the arm needs the method {unet} and one with a transformer, in every trial")
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


CLAIM = Definition(
    "transformers",
    "Under {ours}, a transformer does better than a UNet of equal compute.",
    "lower distance",
    unit=RATIO,
    better="up",
    null=1,
    threshold=1,
    of_arm=transformers,
)
