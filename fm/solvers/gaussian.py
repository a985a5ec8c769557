"""Samplers that know they are on a Gaussian path: from predictions of the two ends, one step after another.

The coefficients are made in float64, whatever x is. All are linear in noise and data, so that they hold for noise of
any covariance if what is drawn on the way has the same.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Protocol, Self

from fm.components import option
from fm.lazy import torch
from fm.paths import Ends, Path, factor
from fm.solvers.ode import at_least_float32, on_host
from fm.solvers.solver import Fresh, Solver, Walkable

if TYPE_CHECKING:
    from torch import Tensor


class Predict(Protocol):
    """What the network says, as these solvers take it.

    >>> def mean_of_all(x, t):
    ...     return Ends(x0=x, x1=torch.zeros_like(x))
    >>> DDIM()(mean_of_all, Path.of("cond_ot"), torch.ones(1, 1), torch.linspace(0, 1, 3))
    tensor([[0.]])
    """

    def __call__(self, x: Tensor, t: Tensor) -> Ends:
        """The noise and the data that x (B, ...) lies between at t, one time for all: (), float64 and on the CPU."""


def clipped(ends: Predict, path: Path, bound: float | None) -> Predict:
    """Predictions whose data stay within -bound and bound, and whose noise is what then remains of x.

    No image has pixels beyond -1 and 1, so no prediction of one should (Ho et al. 2020's code; Dhariwal & Nichol 2021,
    arXiv 2105.05233, appendix H). Where alpha is small, an error in predicted noise is a large one in the data.
    """
    if bound is None:
        return ends

    def predict(x: Tensor, t: Tensor) -> Ends:
        data = ends(x, t).x1.clamp(-bound, bound)
        alpha, sigma = (factor(value, x) for value in path.both(t.double()))
        return Ends((x - alpha * data) / sigma, data)

    return predict


class Gaussian(Solver):
    """Calls what the network says of the two ends.

    >>> Solver.of("dpmpp_2m").last(Path.of("ddpm"))
    1.0
    """

    def draw(self, field: Walkable, x: Tensor, times: Tensor, fresh: Fresh) -> Tensor:
        return self(field.ends, field.along, x, times, fresh)

    def last(self, path: Path) -> float:
        return 1.0

    @abstractmethod
    def __call__(self, ends: Predict, path: Path, x: Tensor, times: Tensor, fresh: Fresh | None = None) -> Tensor:
        """From x (B, ...) at the first of the rising times (steps + 1,) to the last of them.

        Args:
            fresh: noise of the path's source like x, asked for once a step where fresh noise is wanted.

        Raises:
            ValueError: fresh noise is wanted and there is none, or the path has no such step.
        """


class Clipping(Gaussian):
    """Keeps the predicted data within a bound (clipped).

    >>> DDIM(clip="codec").bounded(1.0)
    DDIM(clip=1.0, eta=0.0)
    """

    clip: float | Literal["codec"] | None = option(
        None, above=0, most=1e6, says="bound that predicted data are kept to; codec: the data's own"
    )

    def bounded(self, bound: float | None) -> Self:
        return replace(self, clip=bound) if self.clip == "codec" else self

    @property
    def bound(self) -> float | None:
        """Raises ValueError where it is a codec's that is not known."""
        if self.clip == "codec":
            raise ValueError(
                f"solver {self.name!r}: clip = codec: the codec's bound is not known; Solver.bounded tells it"
            )
        return self.clip


class DDIM(
    Clipping,
    name="ddim",
    title="DDIM",
    says="the path's own conditionals; deterministic, or with fresh noise",
    source="Song et al. 2020, arXiv 2010.02502",
    convergence="1",
    calls=1,
):
    """The conditionals q(x_next | x_t, x1) of the path (Song et al. 2020, eq. 12 and 16).

    eta = 0 is DDIM, deterministic; eta = 1 is DDPM's ancestral sampling. On the straight path DDIM is Euler's method.

    >>> def halfway(x, t):
    ...     return Ends(x, torch.full_like(x, 0.5))
    >>> DDIM()(halfway, Path.of("cosine"), torch.ones(1, 1), torch.linspace(0, 1, 5))
    tensor([[0.5000]])
    """

    eta: float = option(
        0.0, least=0, most=1, says="share of the posterior's standard deviation that is drawn anew at every step"
    )

    def __call__(self, ends: Predict, path: Path, x: Tensor, times: Tensor, fresh: Fresh | None = None) -> Tensor:
        source = needed(fresh, self.eta)
        ends = clipped(ends, path, self.bound)
        x, times = at_least_float32(x), on_host(times)
        before, after = times[:-1], times[1:]
        drawn = self.eta * posterior_deviation(path, before, after)
        kept = (path.sigma(after).square() - drawn.square()).clamp(min=0).sqrt()
        steps = zip(before, path.alpha(after).tolist(), kept.tolist(), drawn.tolist(), strict=True)
        for t, alpha, share_kept, share_drawn in steps:
            x0_hat, x1_hat = ends(x, t)
            x = alpha * x1_hat + share_kept * x0_hat
            if self.eta > 0:
                x = x + share_drawn * source().to(x)
        return x


class DDPM(
    Clipping,
    name="ddpm",
    title="DDPM",
    says="ancestral sampling: DDIM with `eta` = 1",
    source="Ho et al. 2020, arXiv 2006.11239, algorithm 2",
    calls=1,
):
    """DDIM with eta = 1: as much fresh noise as the path's own conditionals have.

    >>> DDPM(clip=1.0).evaluations(steps=20)
    20
    """

    def __call__(self, ends: Predict, path: Path, x: Tensor, times: Tensor, fresh: Fresh | None = None) -> Tensor:
        return DDIM(eta=1.0, clip=self.clip)(ends, path, x, times, fresh)


def posterior_deviation(path: Path, t: Tensor, t_next: Tensor) -> Tensor:
    """Standard deviation of q(x_next | x_t, x1) for the path's Markov chain (Ho et al. 2020, eq. 7, any path)."""
    shrink = path.alpha(t) * path.sigma(t_next) / (path.alpha(t_next) * path.sigma(t))
    return path.sigma(t_next) * (1 - shrink.square()).clamp(min=0).sqrt()


class DPMSolver(
    Clipping,
    name="dpmpp_2m",
    title="DPM-Solver++(2M)",
    says="multistep, from this step's predicted data and the last one's",
    source="Lu et al. 2022, arXiv 2211.01095, algorithm 2",
    convergence="2",
    calls=1,
):
    """Second order in lambda = log(alpha / sigma).

    A step from alpha = 0 or to sigma = 0, where lambda is infinite, is of first order, and that is DDIM's.

    >>> def halfway(x, t):
    ...     return Ends(x, torch.full_like(x, 0.5))
    >>> DPMSolver()(halfway, Path.of("cosine"), torch.ones(1, 1), torch.linspace(0, 1, 5))
    tensor([[0.5000]])
    """

    def __call__(self, ends: Predict, path: Path, x: Tensor, times: Tensor, fresh: Fresh | None = None) -> Tensor:
        ends = clipped(ends, path, self.bound)
        x, times = at_least_float32(x), on_host(times)
        alpha, sigma = path.alpha(times), path.sigma(times)
        keep = sigma[1:] / sigma[:-1]
        add = alpha[1:] - alpha[:-1] * keep
        widths = (alpha.log() - sigma.log()).diff()  # of the steps, in lambda
        before: tuple[Tensor, float] | None = None
        for t, kept, added, h in zip(times[:-1], keep.tolist(), add.tolist(), widths.tolist(), strict=True):
            data = ends(x, t).x1
            extrapolated = data
            if before is not None and math.isfinite(h):
                last, h_last = before
                extrapolated = data + h / (2 * h_last) * (data - last)
            x = kept * x + added * extrapolated
            before = data, h
        return x


class EDM(
    Gaussian,
    name="edm",
    title="EDM",
    says="Heun's method in the noise level, with noise added on the way if wanted; the last step makes one call",
    source="Karras et al. 2022, arXiv 2206.00364, algorithm 2",
    convergence="2",
    calls=2,
):
    """Heun's method in the noise level s = sigma / alpha, with churn, on any path: x / alpha follows
    d(x / alpha) / ds = noise. Two calls a step, but one for a step to sigma = 0.

    The times must start where alpha > 0: elsewhere s is infinite.

    >>> EDM(churn=40.0).evaluations(steps=18)
    35
    """

    churn: float = option(
        0.0, least=0, most=1e6, says="S_churn: each step adds noise that raises s by churn / steps, at most by 41%"
    )
    noise_scale: float = option(
        1.0, above=0, most=10, says="S_noise, a little above 1 to make up for detail that the network loses"
    )

    def evaluations(self, steps: int) -> int:
        return 2 * steps - 1  # the last, to no noise, makes one

    def __call__(self, ends: Predict, path: Path, x: Tensor, times: Tensor, fresh: Fresh | None = None) -> Tensor:
        source = needed(fresh, self.churn)
        x, times = at_least_float32(x), on_host(times)
        if float(path.alpha(times[0])) == 0:
            raise ValueError(f"solver edm on {path}: must start where alpha > 0; the time grid edm does")
        rise = min(self.churn / (len(times) - 1), math.sqrt(2) - 1)
        for t, t_next in pairwise(times):
            if rise > 0:
                x, t = churned(path, x, t, rise, self.noise_scale * source().to(x))
            s, s_next = path.ratio(t), path.ratio(t_next)
            alpha_next, sigma_next = float(path.alpha(t_next)), float(path.sigma(t_next))
            slope, data = ends(x, t)
            x = alpha_next * data + sigma_next * slope
            if sigma_next > 0:
                slope_next = ends(x, t_next).x0
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
