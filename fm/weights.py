"""How much the loss counts at each time.

Published weights belong to the error of the predicted data. A network that predicts another quantity q makes the
data error gain * (error of q) at a fixed x_t (Path.gain), so the weight of q's error is the data's times gain^2.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fm.names import Choice
from fm.paths import SIGMA_DATA, Path, Quantity
from fm.registry import build, require_options


class Weight(Protocol):
    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        """The weight of the squared error of `target` at t (B,), like t."""


@dataclass(frozen=True)
class Flat:
    """Every t counts the same; with noise prediction this is L_simple (Ho et al. 2020, eq. 14)."""

    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        return torch.ones_like(t)


@dataclass(frozen=True)
class MinSNR:
    """min(SNR, gamma) on the data's error (Hang et al. 2023, arXiv 2303.09556, section 3.4)."""

    gamma: float = 5.0

    def __post_init__(self) -> None:
        require_options("weight", self, WEIGHTS)

    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        snr = path.ratio(t).pow(-2)
        # At the data end the gain is 0 and the weight finite; only 0 * infinity has to be kept out.
        return torch.clamp(snr, max=self.gamma) * path.gain(target, t).square()


@dataclass(frozen=True)
class EDM:
    """(s^2 + d^2) / (s d)^2 on the data's error, with s = sigma / alpha and d = SIGMA_DATA (Karras et al. 2022,
    table 1). On the error of EDM's own target it is 1."""

    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        if target == "edm":
            return torch.ones_like(t)
        return (path.spread(t) / (path.sigma(t) * SIGMA_DATA) * path.gain(target, t)).square()


WEIGHTS: dict[str, type[Weight]] = {"flat": Flat, "min_snr": MinSNR, "edm": EDM}


def weight_named(choice: Choice) -> Weight:
    """A weight by its name, with options or without. Raises ValueError with the names there are."""
    weight: Weight = build("weight", choice, WEIGHTS)
    return weight
