"""What a network is shown and what it is to answer, for each prediction target."""

from torch import Tensor

from fm.paths import Path, PathSample, Quantity, like


def regression_target(path: Path, point: PathSample, target: Quantity) -> Tensor:
    """What the network is to predict at a point of the path, like x_t."""
    if target == "velocity":
        return point.velocity
    a, b = path.mixture(target, like(point.t, point.x_t))
    return a * point.x1 + b * point.x0


def network_inputs(path: Path, target: Quantity, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """What the network is shown for (x_t, t): the same, but with EDM's target c_in x and c_noise.

    EDM scales its input to unit variance and tells ln(sigma) / 4 (Karras et al. 2022, table 1), here of the noise
    level sigma / alpha, held within the 0.002 to 80 of its sampler, beyond which nothing changes.
    """
    if target != "edm":
        return x_t, t
    level = path.ratio(t).clamp(0.002, 80.0)
    return x_t / path.spread(like(t, x_t)), level.log() / 4
