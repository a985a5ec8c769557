"""Which times a network is trained at: functions from uniform numbers to t, the inverses of their distributions.

So a time depends on its image's own random number and nothing else, and any distribution can be stratified.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fm import names
from fm.names import Choice
from fm.paths import Path
from fm.registry import build, require_options


class Timesteps(Protocol):
    def __call__(self, u: Tensor, path: Path) -> Tensor:
        """Times in [0, 1], like u: float (B,) uniform on [0, 1)."""


@dataclass(frozen=True)
class Uniform:
    """t uniform on [0, 1)."""

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        return u


@dataclass(frozen=True)
class Stratified:
    """t uniform on [0, 1), one from each of B equal intervals, which makes the loss less noisy (Kingma et al. 2021,
    arXiv 2107.00630, appendix I.1). The batch's u are made so where they are drawn: fm.batches."""

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        return u


@dataclass(frozen=True)
class Discrete:
    """t uniform on {0, 1/steps, ..., 1 - 1/steps}: DDPM's 1000 noisy states, clean data left out."""

    steps: int = 1000

    def __post_init__(self) -> None:
        require_options("timesteps", self, TIMESTEPS)

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        return torch.floor(u * self.steps) / self.steps


@dataclass(frozen=True)
class LogitNormal:
    """logit(t) normal: more of the middle (Esser et al. 2024, arXiv 2403.03206, eq. 19; a positive mean is to data)."""

    mean: float = 0.0
    deviation: float = 1.0

    def __post_init__(self) -> None:
        require_options("timesteps", self, TIMESTEPS)

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        t: Tensor = torch.sigmoid(self.mean + self.deviation * standard_normal(u))
        return t.to(u)


@dataclass(frozen=True)
class EDM:
    """log(sigma / alpha) normal (Karras et al. 2022, arXiv 2206.00364, table 1), the larger the u the less noise."""

    mean: float = -1.2
    deviation: float = 1.2

    def __post_init__(self) -> None:
        require_options("timesteps", self, TIMESTEPS)

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        t: Tensor = path.time_of(torch.exp(self.mean - self.deviation * standard_normal(u)))
        return t.to(u)


@dataclass(frozen=True)
class Shifted:
    """Uniform, then moved towards noise for larger images: with n = 1 - t, n' = shift n / (1 + (shift - 1) n)
    (Esser et al. 2024, eq. 23; shift is the square root of the ratio of pixel counts)."""

    shift: float = 3.0

    def __post_init__(self) -> None:
        require_options("timesteps", self, TIMESTEPS)

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        return shifted(u, self.shift)


def shifted(t: Tensor, shift: float) -> Tensor:
    """t moved towards noise by `shift` > 1: t / (t + shift (1 - t))."""
    names.require("timesteps", "shifted", shift=shift)
    return t / (t + shift * (1 - t))


def standard_normal(u: Tensor) -> Tensor:
    """Standard normal numbers, float64, from uniform float32 ones: never infinite, since u is taken mid-cell."""
    z: Tensor = torch.special.ndtri(u.double() + 2.0**-25)
    return z


TIMESTEPS: dict[str, type[Timesteps]] = {
    "uniform": Uniform,
    "stratified": Stratified,
    "discrete": Discrete,
    "logit_normal": LogitNormal,
    "edm": EDM,
    "shifted": Shifted,
}


def timesteps_named(choice: Choice) -> Timesteps:
    """A timestep distribution by its name, with options or without. Raises ValueError with the names there are."""
    timesteps: Timesteps = build("timesteps", choice, TIMESTEPS)
    return timesteps
