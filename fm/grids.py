"""Time grids: at which times a sampler calls the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from fm.components import Choice, Component, option
from fm.lazy import torch
from fm.paths import Path
from fm.timesteps import SHIFT, shifted

if TYPE_CHECKING:
    from torch import Tensor


class Grid(Component, ABC, kind="grid"):
    """At which times a sampler calls the network.

    >>> Grid.of({"name": "edm", "rho": 5})
    EDM(rho=5, ratio_min=0.002, ratio_max=80.0)
    """

    @abstractmethod
    def __call__(self, path: Path, steps: int, t0: float, t1: float) -> Tensor:
        """The steps + 1 times of at least one step on a path, float64, rising from t0 or a little later to t1."""


class Uniform(Grid, name="uniform", says="equal steps of t"):
    """Equal steps of t.

    >>> Uniform()(Path.of("cond_ot"), 4, 0.0, 1.0)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000], dtype=torch.float64)
    """

    def __call__(self, path: Path, steps: int, t0: float, t1: float) -> Tensor:
        return between(t0, t1, fractions(steps))


class Shifted(
    Grid,
    name="shifted",
    says="smaller steps near noise, for larger images",
    source="Esser et al. 2024, arXiv 2403.03206, eq. 23",
):
    """n = 1 - t moved towards noise, as fm.timesteps.Shifted has it.

    >>> Shifted(shift=3.0)(Path.of("cond_ot"), 4, 0.0, 1.0)
    tensor([0.0000, 0.1000, 0.2500, 0.5000, 1.0000], dtype=torch.float64)
    """

    shift: float = SHIFT

    def __call__(self, path: Path, steps: int, t0: float, t1: float) -> Tensor:
        return between(t0, t1, shifted(fractions(steps), self.shift))


class Cosine(
    Grid,
    name="cosine",
    says="smaller steps near noise",
    source="Du et al. 2024, arXiv 2407.05407, section 2.4",
    formula=r"$t = 1 - \cos(\pi u / 2)$",
):
    """t = 1 - cos(pi u / 2).

    >>> Cosine()(Path.of("cond_ot"), 4, 0.0, 1.0)
    tensor([0.0000, 0.0761, 0.2929, 0.6173, 1.0000], dtype=torch.float64)
    """

    def __call__(self, path: Path, steps: int, t0: float, t1: float) -> Tensor:
        return between(t0, t1, 1 - torch.cos(fractions(steps) * (torch.pi / 2)))


class EDM(
    Grid,
    name="edm",
    title="EDM",
    says="noise levels evenly spaced in their `rho`-th root, then none: smaller steps near data",
    source="Karras et al. 2022, arXiv 2206.00364, eq. 5",
):
    """Levels sigma / alpha within what the path has between t0 and t1: on most paths that starts a little after t0.

    >>> EDM()(Path.of("edm"), 2, 0.0, 1.0)
    tensor([0.0000, 1.0000, 1.0000], dtype=torch.float64)
    """

    # Noise levels fall from ratio_max to ratio_min, whatever the two are.
    rho: float = option(7.0, least=1, most=100, says="the larger, the smaller the steps near data")
    ratio_min: float = option(0.002, above=0, most=0.5, says="the lowest level above none")
    ratio_max: float = option(80.0, least=1, most=1e6, says="the highest level")

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


def time_grid(choice: Choice, path: Path, steps: int, t0: float, t1: float) -> Tensor:
    """The steps + 1 times of a grid on a path, float64, rising from t0 or a little later to t1.

    Raises:
        ValueError: no such grid, or no step.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    return Grid.of(choice)(path, steps, t0, t1)
