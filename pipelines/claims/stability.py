"""How close few steps come to many."""

from statistics import fmean

from pipelines.claims.claim import Definition
from pipelines.claims.measurement import ONE_SEED, Measurement
from pipelines.claims.results import Results
from pipelines.claims.side_by_side import confidence, ratio_of_pairs
from pipelines.claims.units import RATIO

FEW = 10  # steps at which it is judged


def stability(results: Results) -> Measurement:
    """Distance of an N-step sample from that of many steps and the same noise, the baseline's over ours."""
    ours, theirs = results.probed
    own_name, their_name = results.names
    level = confidence(results)
    pairs = zip(ours.convergence, theirs.convergence, strict=True)
    at = {own.steps: ratio_of_pairs(other.distances, own.distances, level) for own, other in pairs}
    found = at[FEW]
    curve = "; ".join(f"{steps}: {one.mean:.3g} ({one.low:.3g} to {one.high:.3g})" for steps, one in at.items())
    straight = [fmean(probe.straightness) for probe in (ours, theirs)]
    return Measurement(
        *found,
        f"{ONE_SEED}; root mean square over the pixels between {FEW} and {ours.many} steps of DDIM, on the straight "
        f"path Euler's method, elsewhere with predicted data kept in range; "
        f"{len(ours.convergence[0].distances)} images of each from the same noise, ratio of "
        f"geometric means, {level:.0%} t-interval of its logarithm",
        f"By number of steps: {curve}. Along the straight path the trajectories' velocities vary by "
        f"{straight[0]:.3g} of the chord's square for {own_name} and {straight[1]:.3g} for {their_name} (0: straight).",
    )


CLAIM = Definition(
    "stability",
    "With few steps, {ours} stays closer to what many steps give from the same noise.",
    "closer at 10 steps",
    unit=RATIO,
    better="up",
    null=1,
    threshold=1,
    of_run=stability,
)
