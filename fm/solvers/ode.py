"""Integrate a velocity field from noise to data. Every call is counted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from fm.components import Choice, option
from fm.lazy import torch
from fm.paths import for_each, like
from fm.solvers.solver import Fresh, Solver, Walkable

if TYPE_CHECKING:
    from torch import Tensor

Velocity = Callable[["Tensor", "Tensor"], "Tensor"]


class Solution(NamedTuple):
    """x1, like the x0 that was given (float32 at least), and the number of function evaluations.

    >>> solution = solve(lambda x, t: x, torch.ones(1, 1), solver="rk4", steps=10)
    >>> solution.x1, solution.nfe
    (tensor([[2.7183]]), 40)
    """

    x1: Tensor
    nfe: int


def solve(
    velocity: Velocity,
    x0: Tensor,
    solver: Choice = "midpoint",
    steps: int = 10,
    t0: float = 0.0,
    t1: float = 1.0,
    times: Tensor | None = None,
) -> Solution:
    """Integrate dx/dt = velocity(x, t) from t0 to t1, or back if t1 < t0.

    Args:
        velocity: velocity(x, t) with x (B, ...) and t (B,), a tensor like x.
        x0: start, (B, ...). Float64 stays float64, anything less is integrated in float32.
        solver: euler (order 1), midpoint or heun (order 2), rk4 (order 4), or the adaptive dopri5; with options, as
            {"name": "dopri5", "tolerance": 1e-3}, or one's own.
        steps: number of equal steps, at least 1; dopri5 chooses its own.
        times: a grid (steps + 1,) instead of steps, t0 and t1: fm.grids.

    Raises:
        ValueError: an unknown solver, no step, or a tolerance that dopri5 cannot keep.
    """
    chosen = Solver.of(solver)
    if not isinstance(chosen, ODESolver):
        raise ValueError(f"solver {chosen.name!r} does not integrate a velocity")
    if times is None:
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        times = torch.linspace(t0, t1, steps + 1, dtype=torch.float64)
    counted = Counted(velocity)
    return Solution(chosen.integrate(counted, x0, times), counted.calls)


class ODESolver(Solver):
    """Integrates a velocity.

    >>> times = torch.linspace(0, 1, 11)
    >>> Solver.of("rk4").integrate(lambda x, t: x, torch.ones(1, 1), times)
    tensor([[2.7183]])
    """

    def draw(self, field: Walkable, x: Tensor, times: Tensor, fresh: Fresh) -> Tensor:
        return self.integrate(field.velocity, x, times)

    @abstractmethod
    def integrate(self, velocity: Velocity, x: Tensor, times: Tensor) -> Tensor:
        """x (B, ...) at the first of the times (steps + 1,) to the last of them, in float32 or better."""


class OneStep(ODESolver):
    """One step after another, each from the last alone.

    >>> start, end = torch.tensor(0.0), torch.tensor(0.1)
    >>> Euler().step(lambda x, t: x, torch.ones(1, 1), start, end)
    tensor([[1.1000]])
    """

    def integrate(self, velocity: Velocity, x: Tensor, times: Tensor) -> Tensor:
        x = at_least_float32(x)
        for t, t_next in pairwise(on_host(times)):
            x = self.step(velocity, x, t, t_next)
        return x

    @abstractmethod
    def step(self, velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        """x (B, ...) brought from t to t_next, one time for all of its rows: (), float64 and on the CPU."""


class Counted:
    """A velocity(x, t) with t (B,), that counts its calls, and can be asked about one time for all.

    >>> counted = Counted(lambda x, t: x)
    >>> solve(counted, torch.ones(1, 1), solver="heun", steps=5).nfe, counted.calls
    (10, 10)
    """

    def __init__(self, function: Velocity) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        return self.function(x, for_each(t, x))


def at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def on_host(times: Tensor) -> Tensor:
    """Where a solver that knows all its times before it starts keeps them, so that no step waits for a device."""
    return times.detach().double().cpu()


class Euler(OneStep, name="euler", title="Euler", says="Euler's method", convergence="1", calls=1):
    """x + h v(x, t).

    >>> Euler().integrate(lambda x, t: x, torch.ones(1, 1), torch.linspace(0, 1, 11))
    tensor([[2.5937]])
    """

    def step(self, velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        return x + like(t_next - t, x) * velocity(x, t)


class Midpoint(OneStep, name="midpoint", says="the midpoint method", convergence="2", calls=2):
    """The slope in the middle of the step.

    >>> Midpoint().integrate(lambda x, t: x, torch.ones(1, 1), torch.linspace(0, 1, 11))
    tensor([[2.7141]])
    """

    def step(self, velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        h = like(t_next - t, x)
        middle = x + 0.5 * h * velocity(x, t)
        return x + h * velocity(middle, 0.5 * (t + t_next))


class Heun(OneStep, name="heun", title="Heun", says="Heun's method, the trapezoidal rule", convergence="2", calls=2):
    """The mean of the slopes at both ends.

    >>> Heun().integrate(lambda x, t: x, torch.ones(1, 1), torch.linspace(0, 1, 11))
    tensor([[2.7141]])
    """

    def step(self, velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        h = like(t_next - t, x)
        slope = velocity(x, t)
        return x + 0.5 * h * (slope + velocity(x + h * slope, t_next))


class RK4(OneStep, name="rk4", title="RK4", says="Kutta's 3/8 rule", source="Kutta 1901", convergence="4", calls=4):
    """As torchdiffeq and flow_matching mean by rk4.

    >>> RK4().integrate(lambda x, t: x, torch.ones(1, 1), torch.linspace(0, 1, 11))
    tensor([[2.7183]])
    """

    def step(self, velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        h = like(t_next - t, x)
        k1 = velocity(x, t)
        k2 = velocity(x + h * k1 / 3, t + (t_next - t) / 3)
        k3 = velocity(x + h * (k2 - k1 / 3), t + (t_next - t) * 2 / 3)
        k4 = velocity(x + h * (k1 - k2 + k3), t_next)
        return x + h * (k1 + 3 * (k2 + k3) + k4) / 8


class DormandPrince(
    ODESolver,
    name="dopri5",
    title="Dormand–Prince",
    says="Dormand and Prince's method by torchdiffeq; it chooses its own steps and depends a little on the batch",
    source="Dormand & Prince 1980",
    convergence="5, adaptive",
):
    """Between the first and the last of the times, with step control for the whole batch at once.

    No time beyond them is asked for: there a path need not have a velocity. torchdiffeq would step over the end and
    interpolate, and tries a first step however long.

    Raises:
        ValueError: the tolerance is out of reach, or a velocity is not finite.

    >>> DormandPrince(tolerance=1e-6).integrate(lambda x, t: x, torch.ones(1, 1), torch.linspace(0, 1, 2))
    tensor([[2.7183]])
    """

    tolerance: float = option(1e-5, above=0, most=1, says="of the error, relative and absolute")

    def integrate(self, velocity: Velocity, x: Tensor, times: Tensor) -> Tensor:
        from torchdiffeq import odeint  # takes a second, which checking settings can do without

        x = at_least_float32(x)
        grid = times.to(x)
        ends = torch.stack([grid[0], grid[-1]])
        low, high = ends.min(), ends.max()

        def within(t: Tensor, y: Tensor) -> Tensor:
            return velocity(y, t.clamp(low, high).expand(len(y)))

        control = {"rtol": self.tolerance, "atol": self.tolerance, "options": {"step_t": ends[1:]}}
        try:
            path: Tensor = odeint(within, x, ends, method="dopri5", **control)
        except AssertionError:  # its message holds the whole state
            raise ValueError(
                f"dopri5 cannot keep a tolerance of {self.tolerance:g}, or the velocity is not finite"
            ) from None
        return path[-1]
