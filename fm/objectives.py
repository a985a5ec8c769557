"""A training objective: path x coupling x timestep distribution x prediction target x loss weight."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fm.couplings import COUPLINGS, Coupling
from fm.paths import Path, PathSample, Quantity, path_named


def uniform(u: Tensor) -> Tensor:
    """t uniform on [0, 1)."""
    return u


def discrete(u: Tensor) -> Tensor:
    """t uniform on {0, 1/1000, ..., 999/1000}: DDPM's 1000 noisy states, clean data left out."""
    return torch.floor(u * 1000) / 1000


def flat(t: Tensor) -> Tensor:
    """Every t counts the same; with noise prediction this is L_simple (Ho et al. 2020, eq. 14)."""
    return torch.ones_like(t)


TIMESTEPS: dict[str, Callable[[Tensor], Tensor]] = {"uniform": uniform, "discrete": discrete}
WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {"flat": flat}


@dataclass(frozen=True)
class Objective:
    """E over t, x0, x1 of weight(t) |network(x_t, t) - target|^2, the mean over pixels."""

    path: Path
    coupling: Coupling
    timesteps: Callable[[Tensor], Tensor]
    target: Quantity
    weight: Callable[[Tensor], Tensor]

    @classmethod
    def named(cls, path: str, coupling: str, timesteps: str, target: Quantity, weight: str) -> "Objective":
        return cls(path_named(path), COUPLINGS[coupling](), TIMESTEPS[timesteps], target, WEIGHTS[weight])

    def loss(self, network: nn.Module, x0: Tensor, x1: Tensor, u: Tensor, labels: Tensor, condition: Tensor) -> Tensor:
        """The loss of one batch, a scalar.

        Args:
            x0: noise (B, C, H, W).
            x1: data, like x0.
            u: uniform numbers in [0, 1), float (B,), from which t is made.
            labels: int64 (B,), for the coupling.
            condition: int64 (B,), what the network is told: labels, some replaced by "no label".
        """
        t = self.timesteps(u)
        point = self.path.sample(self.coupling(x0, x1, labels), x1, t)
        error: Tensor = (network(point.x_t, t, condition) - regression_target(self.path, point, self.target)).square()
        return (self.weight(t) * error.flatten(1).mean(dim=1)).mean()


def regression_target(path: Path, point: PathSample, target: Quantity) -> Tensor:
    """What the network is to predict at a point of the path, like x_t."""
    match target:
        case "velocity":
            return point.velocity
        case "data":
            return point.x1
        case "noise":
            return point.x0
        case "score":
            return path.convert(point.x0, point.x_t, point.t, source="noise", target="score")
