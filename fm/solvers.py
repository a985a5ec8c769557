"""From noise to data: integrate a velocity field, or walk down a Gaussian path. Every call is counted."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from fm.paths import Path, like

Velocity = Callable[[Tensor, Tensor], Tensor]
Step = Callable[[Velocity, Tensor, Tensor, Tensor], Tensor]


class Solution(NamedTuple):
    """x1, like the x0 that was given (float32 at least), and the number of function evaluations."""

    x1: Tensor
    nfe: int


def solve(
    velocity: Velocity, x0: Tensor, solver: str = "midpoint", steps: int = 10, t0: float = 0.0, t1: float = 1.0
) -> Solution:
    """Integrate dx/dt = velocity(x, t) from t0 to t1 in equal steps.

    Args:
        velocity: velocity(x, t) with x (B, ...) and t (B,), a tensor like x.
        x0: start, (B, ...). Float64 stays float64, anything less is integrated in float32.
        solver: euler (order 1), midpoint or heun (order 2).
        steps: number of equal steps, at least 1.

    Raises:
        ValueError: an unknown solver, or no step.
    """
    if solver not in ODE_STEPS:
        raise ValueError(f"no solver {solver!r}: there are {', '.join(ODE_STEPS)}")
    counted = Counted(velocity)
    x = at_least_float32(x0)
    for t, t_next in intervals(x, steps, t0, t1):
        x = ODE_STEPS[solver](counted, x, t, t_next)
    return Solution(x, counted.calls)


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Velocity) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        return self.function(x, t)


def at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def intervals(x: Tensor, steps: int, t0: float, t1: float) -> list[tuple[Tensor, Tensor]]:
    """The ends of `steps` equal intervals, each a (B,) tensor of x's dtype."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    grid = torch.linspace(t0, t1, steps + 1, dtype=torch.float64).to(x)
    times = [t.expand(len(x)) for t in grid]
    return list(pairwise(times))


def euler_step(velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    return x + like(t_next - t, x) * velocity(x, t)


def midpoint_step(velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    h = like(t_next - t, x)
    middle = x + 0.5 * h * velocity(x, t)
    return x + h * velocity(middle, 0.5 * (t + t_next))


def heun_step(velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    h = like(t_next - t, x)
    slope = velocity(x, t)
    return x + 0.5 * h * (slope + velocity(x + h * slope, t_next))


ODE_STEPS: dict[str, Step] = {"euler": euler_step, "midpoint": midpoint_step, "heun": heun_step}


class Ends(Protocol):
    def __call__(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The noise and the data that (x, t) lies between, each like x."""


def walk(
    ends: Ends, path: Path, x0: Tensor, steps: int, eta: float = 0.0, noise: Callable[[], Tensor] | None = None
) -> Tensor:
    """Sample from t = 0 to t = 1 by the conditionals q(x_next | x_t, x1) of a Gaussian path.

    eta = 0 is DDIM, deterministic; eta = 1 is DDPM's ancestral sampling (Song et al. 2020, arXiv 2010.02502,
    eq. 12 and 16). On the straight path DDIM is Euler's method.

    Args:
        ends: predicts noise and data at (x, t).
        x0: noise (B, ...).
        eta: 0 to 1, the share of the posterior's standard deviation that is drawn anew at every step.
        noise: fresh standard normal noise like x0, asked for once a step when eta > 0.
    """
    x = at_least_float32(x0)
    for t, t_next in intervals(x, steps, 0.0, 1.0):
        x0_hat, x1_hat = ends(x, t)
        alpha_next, sigma_next = path.alpha(like(t_next, x)), path.sigma(like(t_next, x))
        fresh = eta * posterior_deviation(path, like(t, x), like(t_next, x))
        x = alpha_next * x1_hat + (sigma_next.square() - fresh.square()).clamp(min=0).sqrt() * x0_hat
        if eta > 0:
            if noise is None:
                raise ValueError("eta > 0 needs a source of noise")
            x = x + fresh * noise().to(x)
    return x


def posterior_deviation(path: Path, t: Tensor, t_next: Tensor) -> Tensor:
    """Standard deviation of q(x_next | x_t, x1) for the path's Markov chain (Ho et al. 2020, eq. 7, any path)."""
    ratio = path.alpha(t) * path.sigma(t_next) / (path.alpha(t_next) * path.sigma(t))
    return path.sigma(t_next) * (1 - ratio.square()).clamp(min=0).sqrt()


ETA = {"ddim": 0.0, "ddpm": 1.0}
