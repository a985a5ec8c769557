"""Draw samples from a field with the sampler that its settings name."""

from collections.abc import Callable

from torch import Tensor

from fm.config import SamplerConfig
from fm.field import Field
from fm.grids import time_grid
from fm.names import parts
from fm.paths import Path
from fm.solvers.gaussian import GAUSSIAN
from fm.solvers.ode import solve


def draw(field: Field, noise: Tensor, sampler: SamplerConfig, fresh: Callable[[], Tensor]) -> Tensor:
    """From standard normal noise (B, C, H, W) to samples like it, along the field's path.

    Args:
        fresh: standard normal noise like `noise`, for stochastic samplers.
    """
    path = field.along
    solver, options = parts(sampler.solver)
    times = times_of(sampler, path)
    x = float(path.sigma(times[0])) * noise
    if solver in GAUSSIAN:
        return GAUSSIAN[solver](field.ends, path, x, times, fresh, **options)
    return solve(field.velocity, x, solver, sampler.steps, times=times, **options).x1


def times_of(sampler: SamplerConfig, path: Path) -> Tensor:
    """When a sampler calls the network on a path, float64 (steps + 1,).

    A solver of differential equations stays where the path has a velocity; the others end at t = 1.
    """
    start, end = path.interval
    solver, _ = parts(sampler.solver)
    return time_grid(sampler.grid, path, sampler.steps, start, 1.0 if solver in GAUSSIAN else end)
