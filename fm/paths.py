"""Gaussian probability paths x_t = alpha(t) x1 + sigma(t) x0 from noise (t = 0) to data (t = 1).

Flow matching and diffusion differ here in nothing but the two functions alpha and sigma (Lipman et al. 2022,
arXiv 2210.02747, eq. 10; Song et al. 2020, arXiv 2011.13456, section 3.4).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Quantity = Literal["velocity", "data", "noise", "score"]


class PathSample(NamedTuple):
    """A point of the path and the velocity there; x_t, velocity, x0 and x1 of one shape, t (B,)."""

    x_t: Tensor
    velocity: Tensor
    x0: Tensor
    x1: Tensor
    t: Tensor


def like(t: Tensor, x: Tensor) -> Tensor:
    """t (B,) with as many trailing axes as x (B, ...) has, to multiply with it."""
    return t.reshape(t.shape + (1,) * (x.ndim - t.ndim))


class Path(ABC):
    """alpha, sigma and their derivatives by t, each elementwise on a tensor of times in [0, 1]."""

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def d_alpha(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def d_sigma(self, t: Tensor) -> Tensor: ...

    def sample(self, x0: Tensor, x1: Tensor, t: Tensor) -> PathSample:
        """The point x_t between noise x0 and data x1 (both (B, ...)) at t (B,), and its velocity d x_t / dt."""
        if x0.shape != x1.shape or t.shape != x1.shape[:1]:
            raise ValueError(f"x0 {tuple(x0.shape)}, x1 {tuple(x1.shape)} and t {tuple(t.shape)} do not fit together")
        s = like(t, x1)
        x_t = self.alpha(s) * x1 + self.sigma(s) * x0
        velocity = self.d_alpha(s) * x1 + self.d_sigma(s) * x0
        return PathSample(x_t, velocity, x0, x1, t)

    def convert(self, value: Tensor, x_t: Tensor, t: Tensor, source: Quantity, target: Quantity) -> Tensor:
        """What `value` at (x_t, t) says about another quantity.

        The four are linear in one another given x_t = alpha x1 + sigma x0 (Lipman et al. 2024, arXiv 2412.06264,
        section 4.8): velocity = alpha' x1 + sigma' x0, score = -x0 / sigma.

        Raises:
            ValueError: the quantity does not exist at such a t, for example data from noise where alpha = 0.
        """
        if source == target:
            return value
        s = like(t, x_t)
        if target in ("noise", "score"):
            x0 = self._to_noise(value, x_t, s, source)
            return x0 if target == "noise" else -x0 / nonzero(self.sigma(s), "the score", "sigma = 0")
        if target == "data":
            return self._to_data(value, x_t, s, source)
        if target == "velocity":
            x0, x1 = self._to_noise(value, x_t, s, source), self._to_data(value, x_t, s, source)
            return finite(self.d_alpha(s)) * x1 + finite(self.d_sigma(s)) * x0
        raise ValueError(f"target {target!r}: must be velocity, data, noise or score")

    def _to_noise(self, value: Tensor, x_t: Tensor, s: Tensor, source: Quantity) -> Tensor:
        match source:
            case "noise":
                return value
            case "score":
                return -self.sigma(s) * value
            case "data":
                return (x_t - self.alpha(s) * value) / nonzero(self.sigma(s), "noise", "sigma = 0")
            case "velocity":
                d_alpha, _, determinant = self._slopes(s)
                return (d_alpha * x_t - self.alpha(s) * value) / determinant

    def _to_data(self, value: Tensor, x_t: Tensor, s: Tensor, source: Quantity) -> Tensor:
        if source == "data":
            return value
        if source == "velocity":
            _, d_sigma, determinant = self._slopes(s)
            return (self.sigma(s) * value - d_sigma * x_t) / determinant
        x0 = self._to_noise(value, x_t, s, source)
        return (x_t - self.sigma(s) * x0) / nonzero(self.alpha(s), "data", "alpha = 0")

    def _slopes(self, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """alpha', sigma' and alpha' sigma - alpha sigma', by which position and velocity give the two ends."""
        d_alpha, d_sigma = finite(self.d_alpha(s)), finite(self.d_sigma(s))
        determinant = d_alpha * self.sigma(s) - self.alpha(s) * d_sigma
        return d_alpha, d_sigma, nonzero(determinant, "data and noise", "the path stands still")


def nonzero(divisor: Tensor, quantity: str, where: str) -> Tensor:
    if not bool((divisor != 0).all()):
        raise ValueError(f"{quantity} cannot be recovered at a t where {where}")
    return divisor


def finite(slope: Tensor) -> Tensor:
    if not bool(torch.isfinite(slope).all()):
        raise ValueError("the velocity does not exist at a t where the path's slope is infinite")
    return slope


class CondOT(Path):
    """The straight path of flow matching: alpha = t, sigma = 1 - t (Lipman et al. 2022, eq. 20 with sigma_min = 0)."""

    def alpha(self, t: Tensor) -> Tensor:
        return t

    def sigma(self, t: Tensor) -> Tensor:
        return 1 - t

    def d_alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return -torch.ones_like(t)


class Cosine(Path):
    """alpha = sin(pi t / 2), sigma = cos(pi t / 2) (Nichol & Dhariwal 2021, arXiv 2102.09672, without its offset)."""

    def alpha(self, t: Tensor) -> Tensor:
        return torch.sin(t * (math.pi / 2))

    def sigma(self, t: Tensor) -> Tensor:
        return torch.cos(t * (math.pi / 2))

    def d_alpha(self, t: Tensor) -> Tensor:
        return (math.pi / 2) * self.sigma(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return -(math.pi / 2) * self.alpha(t)


class LogVariancePreserving(Path):
    """alpha^2 + sigma^2 = 1, given by log alpha-bar(t) = 2 log alpha(t), which rises to 0 at t = 1."""

    @abstractmethod
    def log_alpha_bar(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def d_log_alpha_bar(self, t: Tensor) -> Tensor: ...

    def alpha(self, t: Tensor) -> Tensor:
        return torch.exp(0.5 * self.log_alpha_bar(t))

    def sigma(self, t: Tensor) -> Tensor:
        return torch.sqrt(-torch.expm1(self.log_alpha_bar(t)))

    def d_alpha(self, t: Tensor) -> Tensor:
        return 0.5 * self.d_log_alpha_bar(t) * self.alpha(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        """From alpha^2 + sigma^2 = 1; minus infinity at t = 1."""
        return -self.alpha(t) * self.d_alpha(t) / self.sigma(t)


@dataclass(frozen=True)
class VariancePreserving(LogVariancePreserving):
    """The variance-preserving diffusion in continuous time (Song et al. 2020, arXiv 2011.13456, eq. 33).

    alpha does not quite reach 0 at t = 0: exp(-(beta_min + beta_max) / 4) is left, 0.0066 by default.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    def log_alpha_bar(self, t: Tensor) -> Tensor:
        s = 1 - t
        return -s * (self.beta_min + 0.5 * (self.beta_max - self.beta_min) * s)

    def d_log_alpha_bar(self, t: Tensor) -> Tensor:
        return self.beta_min + (self.beta_max - self.beta_min) * (1 - t)


class DDPM(LogVariancePreserving):
    """DDPM's chain of 1000 steps with linear betas (Ho et al. 2020, arXiv 2006.11239, section 4).

    t = 1 - k/1000 is the state after k noising steps; between them log alpha-bar is linear.
    """

    steps = 1000

    def __init__(self) -> None:
        betas = torch.linspace(1e-4, 0.02, self.steps, dtype=torch.float64)
        self.table = torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-betas).cumsum(0)])

    def _segment(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Position in the chain, and the two table entries around it."""
        k = (1 - t) * self.steps
        below = k.floor().clamp(0, self.steps - 1).long()
        table = self.table.to(t.device)
        return k - below, table[below].to(t.dtype), table[below + 1].to(t.dtype)

    def log_alpha_bar(self, t: Tensor) -> Tensor:
        offset, left, right = self._segment(t)
        return left + offset * (right - left)

    def d_log_alpha_bar(self, t: Tensor) -> Tensor:
        _, left, right = self._segment(t)
        return self.steps * (left - right)


PATHS: dict[str, type[Path]] = {
    "cond_ot": CondOT,
    "variance_preserving": VariancePreserving,
    "ddpm": DDPM,
    "cosine": Cosine,
}


def path_named(name: str) -> Path:
    """A path by its name in params.yaml. Raises ValueError with the names there are."""
    if name not in PATHS:
        raise ValueError(f"no path {name!r}: there are {', '.join(PATHS)}")
    return PATHS[name]()
