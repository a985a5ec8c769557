"""Integrate a velocity field from noise to data. Every call is counted."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torchdiffeq import odeint

from fm.names import require
from fm.paths import like

Velocity = Callable[[Tensor, Tensor], Tensor]
Step = Callable[[Velocity, Tensor, Tensor, Tensor], Tensor]


class Solution(NamedTuple):
    """x1, like the x0 that was given (float32 at least), and the number of function evaluations."""

    x1: Tensor
    nfe: int


def solve(
    velocity: Velocity,
    x0: Tensor,
    solver: str = "midpoint",
    steps: int = 10,
    t0: float = 0.0,
    t1: float = 1.0,
    times: Tensor | None = None,
    tolerance: float = 1e-5,
) -> Solution:
    """Integrate dx/dt = velocity(x, t) from t0 to t1, or back if t1 < t0.

    Args:
        velocity: velocity(x, t) with x (B, ...) and t (B,), a tensor like x.
        x0: start, (B, ...). Float64 stays float64, anything less is integrated in float32.
        solver: euler (order 1), midpoint or heun (order 2), rk4 (order 4), or dopri5, which is adaptive.
        steps: number of equal steps, at least 1; dopri5 chooses its own.
        times: a grid (steps + 1,) instead of steps, t0 and t1: fm.grids.
        tolerance: of dopri5, relative and absolute, for the whole batch at once.

    Raises:
        ValueError: an unknown solver, no step, or a tolerance that dopri5 cannot keep.
    """
    if times is None:
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        times = torch.linspace(t0, t1, steps + 1, dtype=torch.float64)
    counted = Counted(velocity)
    x = at_least_float32(x0)
    grid = times.to(x)
    if solver == "dopri5":
        x = dormand_prince(counted, x, grid, tolerance)
    elif solver in ODE_STEPS:
        for t, t_next in pairwise(grid):
            x = ODE_STEPS[solver](counted, x, t.expand(len(x)), t_next.expand(len(x)))
    else:
        raise ValueError(f"no solver {solver!r}: there are {', '.join([*ODE_STEPS, 'dopri5'])}")
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


def rk4_step(velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    """Kutta's 3/8 rule, as torchdiffeq and flow_matching mean by rk4."""
    h = like(t_next - t, x)
    k1 = velocity(x, t)
    k2 = velocity(x + h * k1 / 3, t + (t_next - t) / 3)
    k3 = velocity(x + h * (k2 - k1 / 3), t + (t_next - t) * 2 / 3)
    k4 = velocity(x + h * (k1 - k2 + k3), t_next)
    return x + h * (k1 + 3 * (k2 + k3) + k4) / 8


def dormand_prince(velocity: Velocity, x: Tensor, times: Tensor, tolerance: float) -> Tensor:
    """Dormand & Prince 1980, order 5 with step control, between the first and the last of the times.

    No time beyond them is asked for: there a path need not have a velocity. torchdiffeq would step over the end and
    interpolate, and tries a first step however long.

    Raises:
        ValueError: the tolerance is out of reach, or a velocity is not finite.
    """
    require("solver", "dopri5", tolerance=tolerance)
    ends = torch.stack([times[0], times[-1]])
    low, high = ends.min(), ends.max()

    def within(t: Tensor, y: Tensor) -> Tensor:
        return velocity(y, t.clamp(low, high).expand(len(y)))

    try:
        path: Tensor = odeint(
            within, x, ends, method="dopri5", rtol=tolerance, atol=tolerance, options={"step_t": ends[1:]}
        )
    except AssertionError:  # its message holds the whole state
        raise ValueError(f"dopri5 cannot keep a tolerance of {tolerance:g}, or the velocity is not finite") from None
    return path[-1]


ODE_STEPS: dict[str, Step] = {
    "euler": euler_step,
    "midpoint": midpoint_step,
    "heun": heun_step,
    "rk4": rk4_step,
}
