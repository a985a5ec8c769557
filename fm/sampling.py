"""Draw samples from a field with the sampler that its settings name."""

from collections.abc import Callable

from torch import Tensor

from fm.config import SamplerConfig
from fm.field import Field
from fm.grids import time_grid
from fm.paths import Path
from fm.solvers import Solver


def draw(
    field: Field, noise: Tensor, sampler: SamplerConfig, fresh: Callable[[], Tensor], bound: float | None = None
) -> Tensor:
    """From noise (B, C, *spatial) of the model's source to samples like it, along the field's path.

    Args:
        fresh: such noise like `noise`, for stochastic samplers.
        bound: the largest absolute value that data have (Codec.bound), for samplers that clip to it.
    """
    times = times_of(sampler, field.along)
    x = float(field.along.sigma(times[0])) * noise
    return Solver.of(sampler.solver).bounded(bound).draw(field, x, times, fresh)


def times_of(sampler: SamplerConfig, path: Path) -> Tensor:
    """When a sampler calls the network on a path, float64 (steps + 1,).

    A solver of differential equations stays where the path has a velocity; the others end at t = 1.
    """
    return time_grid(sampler.grid, path, sampler.steps, path.interval[0], Solver.of(sampler.solver).last(path))
