"""How much the loss counts at each time.

Published weights belong to the error of the predicted data. A network that predicts another quantity q makes the
data error gain * (error of q) at a fixed x_t (Path.gain), so the weight of q's error is the data's times gain^2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from fm import targets
from fm.components import Component, option
from fm.lazy import torch
from fm.paths import Path, Quantity

if TYPE_CHECKING:
    from torch import Tensor


class Weight(Component, ABC, kind="weight"):
    """How much an error counts at each time.

    >>> Weight.of({"name": "min_snr", "gamma": 4})
    MinSNR(gamma=4)
    """

    @abstractmethod
    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        """The weight of the squared error of `target` at t (B,), like t."""

    def at_scale(self, sigma_data: float) -> Self:
        """The same for data of this standard deviation, where the weight depends on it and does not say its own."""
        return self


class Flat(
    Weight,
    name="flat",
    says="with every error counting alike",
    source="Ho et al. 2020, arXiv 2006.11239, eq. 14",
    formula="1 on the network's own target",
):
    """With noise prediction this is L_simple.

    >>> Flat()(torch.tensor([0.1, 0.5, 0.9]), Path.of("ddpm"), "noise")
    tensor([1., 1., 1.])
    """

    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        return torch.ones_like(t)


class MinSNR(
    Weight,
    name="min_snr",
    says="with errors weighted by the clipped signal-to-noise ratio",
    source="Hang et al. 2023, arXiv 2303.09556, section 3.4",
    formula=r"$\min(\alpha^2 / \sigma^2, \gamma)$",
):
    """min(SNR, gamma) on the data's error.

    >>> MinSNR(gamma=5.0)(torch.tensor([0.1, 0.5, 0.9]), Path.of("ddpm"), "noise")
    tensor([1.0000, 1.0000, 0.5740])
    """

    gamma: float = option(5.0, above=0, most=1e6, says="where the ratio is clipped")

    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        snr = path.ratio(t).pow(-2)
        # At the data end the gain is 0 and the weight finite; only 0 * infinity has to be kept out.
        return torch.clamp(snr, max=self.gamma) * path.gain(target, t).square()


class EDM(
    Weight,
    name="edm",
    title="EDM",
    says="with EDM's weights",
    source="Karras et al. 2022, arXiv 2206.00364, table 1",
    formula=r"$(r^2 + s^2) / (r s)^2$ with $r = \sigma / \alpha$ and $s$ = `sigma_data`",
):
    """As given on the data's error. On the error of EDM's own target for the same data it is 1.

    >>> EDM(sigma_data=0.5)(torch.tensor([0.1, 0.5]), Path.of("edm"), targets.EDM(sigma_data=0.5))
    tensor([1., 1.])
    """

    sigma_data: float | None = targets.SIGMA_DATA

    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        scale = targets.known_scale(self.sigma_data, "weight")
        if target == targets.EDM(scale):
            return torch.ones_like(t)
        return (path.spread(t, scale) / (path.sigma(t) * scale) * path.gain(target, t)).square()

    def at_scale(self, sigma_data: float) -> Self:
        return replace(self, sigma_data=sigma_data) if self.sigma_data is None else self


class ByNoise(
    Weight,
    name="by_noise",
    says="with errors counting less where a network that predicts noise, converted, moves its answer by more",
    formula=r"$\min(1, \lvert \partial\,\mathrm{target} / \partial x_0 \rvert^{-p})$ at a fixed $x_t$, $p$ = `power`",
):
    """For a network that goes on from diffusion. Near the noise its answer is many times what it says, and so is the
    gradient of an error: on the straight path 1 / t times for the velocity. With a power of 1 that is made up for; with
    2 errors are those of the noise.

    >>> ByNoise()(torch.tensor([0.0, 0.1, 0.5, 1.0]), Path.of("cond_ot"), "velocity")
    tensor([0.0000, 0.1000, 0.5000, 1.0000])
    """

    power: float = option(1.0, above=0, most=2, says="1 makes gradients of one size, 2 is the noise's own error")

    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        a, b = path.mixture(target, t)
        alpha, sigma = path.both(t)
        slower = alpha / (b * alpha - a * sigma).abs()  # x1 = (x_t - sigma x0) / alpha, in a x1 + b x0
        return slower.clamp(max=1).pow(self.power)
