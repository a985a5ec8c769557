"""Samplers that know they are on a Gaussian path: from predictions of the two ends, one step after another.

All take ends(x, t), the path, the start x (B, ...), rising times (steps + 1,) and a source of fresh noise. The
coefficients are made in float64, whatever x is.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from fm.names import require
from fm.paths import Ends, Path, like
from fm.solvers.ode import at_least_float32

Fresh = Callable[[], Tensor]


class Predict(Protocol):
    def __call__(self, x: Tensor, t: Tensor) -> Ends:
        """The noise and the data that (x, t) lies between, each like x."""


def clipped(ends: Predict, path: Path, bound: float | None) -> Predict:
    """Predictions whose data stay within -bound and bound, and whose noise is what then remains of x.

    No image has pixels beyond -1 and 1, so no prediction of one should (Ho et al. 2020's code; Dhariwal & Nichol 2021,
    arXiv 2105.05233, appendix H). Where alpha is small, an error in predicted noise is a large one in the data.
    """
    if bound is None:
        return ends

    def predict(x: Tensor, t: Tensor) -> Ends:
        data = ends(x, t).x1.clamp(-bound, bound)
        alpha, sigma = (like(value, x).to(x) for value in (path.alpha(t.double()), path.sigma(t.double())))
        return Ends((x - alpha * data) / sigma, data)

    return predict


def ddim(
    ends: Predict,
    path: Path,
    x: Tensor,
    times: Tensor,
    fresh: Fresh | None = None,
    eta: float = 0.0,
    clip: float | None = None,
) -> Tensor:
    """The conditionals q(x_next | x_t, x1) of the path (Song et al. 2020, arXiv 2010.02502, eq. 12 and 16).

    eta = 0 is DDIM, deterministic; eta = 1 is DDPM's ancestral sampling. On the straight path DDIM is Euler's method.

    Args:
        eta: 0 to 1, the share of the posterior's standard deviation that is drawn anew at every step.
        clip: bound of the predicted data (clipped).
        fresh: standard normal noise like x, asked for once a step when eta > 0.
    """
    require("solver", "ddim", eta=eta, clip=clip)
    source = needed(fresh, eta)
    ends = clipped(ends, path, clip)
    x = at_least_float32(x)
    for t, t_next in pairwise(times.double()):
        x0_hat, x1_hat = ends(x, spread_out(t, x))
        sigma = path.sigma(t_next)
        drawn = eta * posterior_deviation(path, t, t_next)
        kept = (sigma.square() - drawn.square()).clamp(min=0).sqrt()
        x = float(path.alpha(t_next)) * x1_hat + float(kept) * x0_hat
        if eta > 0:
            x = x + float(drawn) * source().to(x)
    return x


def ddpm(
    ends: Predict, path: Path, x: Tensor, times: Tensor, fresh: Fresh | None = None, clip: float | None = None
) -> Tensor:
    """DDPM's ancestral sampling (Ho et al. 2020, arXiv 2006.11239, algorithm 2): DDIM with eta = 1."""
    return ddim(ends, path, x, times, fresh, eta=1.0, clip=clip)


def posterior_deviation(path: Path, t: Tensor, t_next: Tensor) -> Tensor:
    """Standard deviation of q(x_next | x_t, x1) for the path's Markov chain (Ho et al. 2020, eq. 7, any path)."""
    shrink = path.alpha(t) * path.sigma(t_next) / (path.alpha(t_next) * path.sigma(t))
    return path.sigma(t_next) * (1 - shrink.square()).clamp(min=0).sqrt()


def dpmpp_2m(
    ends: Predict, path: Path, x: Tensor, times: Tensor, fresh: Fresh | None = None, clip: float | None = None
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, algorithm 2), one call a step.

    Second order in lambda = log(alpha / sigma), from this step's predicted data and the last one's. A step from
    alpha = 0 or to sigma = 0, where lambda is infinite, is of first order, and that is DDIM's.

    Args:
        clip: bound of the predicted data (clipped).
    """
    require("solver", "dpmpp_2m", clip=clip)
    ends = clipped(ends, path, clip)
    x = at_least_float32(x)
    before: tuple[Tensor, float] | None = None
    for t, t_next in pairwise(times.double()):
        data = ends(x, spread_out(t, x)).x1
        h = log_snr_half(path, t_next) - log_snr_half(path, t)
        extrapolated = data
        if before is not None and math.isfinite(h):
            last, h_last = before
            extrapolated = data + h / (2 * h_last) * (data - last)
        keep = float(path.sigma(t_next) / path.sigma(t))
        x = keep * x + float(path.alpha(t_next) - path.alpha(t) * keep) * extrapolated
        before = data, h
    return x


def log_snr_half(path: Path, t: Tensor) -> float:
    """lambda = log(alpha / sigma), half the logarithm of the signal-to-noise ratio."""
    return float(path.alpha(t).log() - path.sigma(t).log())


def edm(
    ends: Predict,
    path: Path,
    x: Tensor,
    times: Tensor,
    fresh: Fresh | None = None,
    churn: float = 0.0,
    noise_scale: float = 1.0,
) -> Tensor:
    """Heun's method in the noise level s = sigma / alpha, with churn (Karras et al. 2022, arXiv 2206.00364,
    algorithm 2), on any path: x / alpha follows d(x / alpha) / ds = noise.

    Two calls a step, but one for a step to sigma = 0.

    Args:
        churn: their S_churn: at each step noise is added that raises s by churn / steps, at most by 41%.
        noise_scale: their S_noise, a little above 1 to make up for detail that the network loses.
        fresh: standard normal noise like x, asked for once a step when churn > 0.

    Raises:
        ValueError: the times start where alpha = 0, so that s is infinite.
    """
    require("solver", "edm", churn=churn, noise_scale=noise_scale)
    source = needed(fresh, churn)
    x = at_least_float32(x)
    times = times.double()
    if float(path.alpha(times[0])) == 0:
        raise ValueError(f"solver edm on {path}: must start where alpha > 0; the time grid edm does")
    rise = min(churn / (len(times) - 1), math.sqrt(2) - 1)
    for t, t_next in pairwise(times):
        if rise > 0:
            x, t = churned(path, x, t, rise, noise_scale * source().to(x))
        s, s_next = path.ratio(t), path.ratio(t_next)
        alpha_next, sigma_next = float(path.alpha(t_next)), float(path.sigma(t_next))
        slope, data = ends(x, spread_out(t, x))
        x = alpha_next * data + sigma_next * slope
        if sigma_next > 0:
            slope_next = ends(x, spread_out(t_next, x)).x0
            x = x + alpha_next * float(s_next - s) / 2 * (slope_next - slope)
    return x


def churned(path: Path, x: Tensor, t: Tensor, rise: float, noise: Tensor) -> tuple[Tensor, Tensor]:
    """x at t with noise added until sigma / alpha is 1 + rise times what it was, and the earlier time this is at."""
    s = path.ratio(t)
    raised = torch.minimum(s * (1 + rise), path.ratio(torch.zeros_like(t)))
    earlier = path.time_of(raised)
    alpha = path.alpha(earlier)
    added = alpha * (raised.square() - s.square()).clamp(min=0).sqrt()
    return float(alpha / path.alpha(t)) * x + float(added) * noise, earlier


def needed(fresh: Fresh | None, amount: float) -> Fresh:
    """The source of noise. Raises ValueError if there is none and some is needed."""
    if fresh is not None:
        return fresh
    if amount > 0:
        raise ValueError("a stochastic sampler needs a source of noise")
    return _none


def _none() -> Tensor:
    raise AssertionError("no noise was to be drawn")


def spread_out(t: Tensor, x: Tensor) -> Tensor:
    """One time for all of x's rows, (B,) of x's dtype."""
    return t.to(x).expand(len(x))


GAUSSIAN: dict[str, Callable[..., Tensor]] = {"ddim": ddim, "ddpm": ddpm, "dpmpp_2m": dpmpp_2m, "edm": edm}
