"""Time grids: at which times a sampler calls the network."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fm.names import Choice
from fm.paths import Path
from fm.registry import build, require_options
from fm.timesteps import shifted

Grid = Callable[[Path, int, float, float], Tensor]


@dataclass(frozen=True)
class Uniform:
    """Equal steps of t."""

    def __call__(self, path: Path, steps: int, t0: float, t1: float) -> Tensor:
        return between(t0, t1, fractions(steps))


@dataclass(frozen=True)
class Shifted:
    """Smaller steps near noise, for larger images (Esser et al. 2024, arXiv 2403.03206, eq. 23)."""

    shift: float = 3.0

    def __post_init__(self) -> None:
        require_options("grid", self, GRIDS)

    def __call__(self, path: Path, steps: int, t0: float, t1: float) -> Tensor:
        return between(t0, t1, shifted(fractions(steps), self.shift))


@dataclass(frozen=True)
class Cosine:
    """t = 1 - cos(pi u / 2): smaller steps near noise (Du et al. 2024, arXiv 2407.05407, section 2.4)."""

    def __call__(self, path: Path, steps: int, t0: float, t1: float) -> Tensor:
        return between(t0, t1, 1 - torch.cos(fractions(steps) * (torch.pi / 2)))


@dataclass(frozen=True)
class EDM:
    """Noise levels sigma / alpha evenly spaced in their rho-th root, then none (Karras et al. 2022, arXiv 2206.00364,
    eq. 5). Within what the path has between t0 and t1: on most paths that starts a little after t0."""

    rho: float = 7.0
    ratio_min: float = 0.002
    ratio_max: float = 80.0

    def __post_init__(self) -> None:
        require_options("grid", self, GRIDS)

    def __call__(self, path: Path, steps: int, t0: float, t1: float) -> Tensor:
        first, last = path.ratio(torch.tensor([t0, t1], dtype=torch.float64)).tolist()
        highest, lowest = min(self.ratio_max, first), max(self.ratio_min, last)
        points = steps if last < self.ratio_min else steps + 1
        u = torch.linspace(0, 1, points, dtype=torch.float64)
        roots = highest ** (1 / self.rho) * (1 - u) + lowest ** (1 / self.rho) * u
        times = path.time_of(roots**self.rho)[:steps]
        return torch.cat([times, times.new_tensor([t1])])


def between(t0: float, t1: float, u: Tensor) -> Tensor:
    """t0 + (t1 - t0) u with exact ends: a last time of 1 - 1e-16 would still have noise to remove."""
    inner = t0 + (t1 - t0) * u[1:-1]
    return torch.cat([u.new_tensor([t0]), inner, u.new_tensor([t1])])


def fractions(steps: int) -> Tensor:
    """0 to 1 in equal steps, float64 (steps + 1,)."""
    return torch.linspace(0, 1, steps + 1, dtype=torch.float64)


GRIDS: dict[str, Callable[..., Grid]] = {"uniform": Uniform, "shifted": Shifted, "cosine": Cosine, "edm": EDM}


def grid_named(choice: Choice) -> Grid:
    """A grid by its name, with options or without. Raises ValueError with the names there are."""
    grid: Grid = build("grid", choice, GRIDS)
    return grid


def time_grid(choice: Choice, path: Path, steps: int, t0: float, t1: float) -> Tensor:
    """The steps + 1 times of a grid on a path, float64, rising from t0 or a little later to t1.

    Raises:
        ValueError: no such grid, or no step.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    return grid_named(choice)(path, steps, t0, t1)
