"""Which times a network is trained at: functions from uniform numbers to t, the inverses of their distributions.

So a time depends on its image's own random number and nothing else, and any distribution can be stratified.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from fm.components import Component, option
from fm.lazy import torch
from fm.paths import Path

if TYPE_CHECKING:
    from torch import Tensor

SHIFT = option(3.0, above=0, most=1000, says="how far, the square root of the ratio of pixel counts")


class Timesteps(Component, ABC, kind="timesteps"):
    """From uniform numbers to times.

    >>> Timesteps.of({"name": "shifted", "shift": 2})
    Shifted(shift=2)
    """

    @abstractmethod
    def __call__(self, u: Tensor, path: Path) -> Tensor:
        """Times in [0, 1], like u: float (B,) uniform on [0, 1)."""


class Uniform(Timesteps, name="uniform", says="uniformly"):
    """t uniform on [0, 1).

    >>> Uniform()(torch.tensor([0.0, 0.5, 0.9]), Path.of("cond_ot"))
    tensor([0.0000, 0.5000, 0.9000])
    """

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        return u


class Beginning(
    Timesteps,
    name="beginning",
    says="at the noise alone, which distils a flow into its first step",
    formula="$t = 0$",
    source="Liu et al. 2022, arXiv 2209.03003, section 2.2",
):
    """Trained on the pairs of a flow, a velocity at the noise is all that one step of Euler's method needs.

    >>> Beginning()(torch.tensor([0.0, 0.5, 0.9]), Path.of("cond_ot"))
    tensor([0., 0., 0.])
    """

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        return torch.zeros_like(u)


class Stratified(
    Timesteps,
    name="stratified",
    says="uniformly, one from each of B equal intervals",
    source="Kingma et al. 2021, arXiv 2107.00630, appendix I.1",
):
    """Makes the loss less noisy. The batch's u are made so where they are drawn: fm.batches.

    >>> Stratified()(torch.tensor([0.0, 0.5, 0.9]), Path.of("cond_ot"))
    tensor([0.0000, 0.5000, 0.9000])
    """

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        return u


class Discrete(
    Timesteps,
    name="discrete",
    says="from evenly spaced ones",
    source="Ho et al. 2020, arXiv 2006.11239",
    formula=r"$0, 1/1000, \dots, 999/1000$",
):
    """t uniform on {0, 1/steps, ..., 1 - 1/steps}: DDPM's 1000 noisy states, clean data left out.

    >>> Discrete(steps=4)(torch.tensor([0.0, 0.5, 0.9]), Path.of("cond_ot"))
    tensor([0.0000, 0.5000, 0.7500])
    """

    steps: int = option(1000, least=1, most=1e6, says="number of times")

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        return torch.floor(u * self.steps) / self.steps


class LogitNormal(
    Timesteps,
    name="logit_normal",
    says="from a logit-normal distribution",
    source="Esser et al. 2024, arXiv 2403.03206, eq. 19",
    formula=r"$\ln(t / (1 - t))$ normal",
):
    """More of the middle.

    >>> LogitNormal(mean=1.0)(torch.tensor([0.0, 0.5, 0.9]), Path.of("cond_ot"))
    tensor([0.0119, 0.7311, 0.9073])
    """

    mean: float = option(0.0, least=-20, most=20, says="of the logit; above 0 is to the data")
    deviation: float = option(1.0, above=0, most=20, says="of the logit")

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        t: Tensor = torch.sigmoid(self.mean + self.deviation * standard_normal(u))
        return t.to(u)


class EDM(
    Timesteps,
    name="edm",
    title="EDM",
    says="from EDM's log-normal distribution of noise levels",
    source="Karras et al. 2022, arXiv 2206.00364, table 1",
    formula=r"$\ln(\sigma / \alpha)$ normal",
):
    """The larger the u the less noise.

    >>> EDM()(torch.tensor([0.0, 0.5, 0.9]), Path.of("cond_ot"))
    tensor([0.0049, 0.7685, 0.9392])
    """

    mean: float = option(-1.2, least=-20, most=20, says="of the logarithm of the noise level")
    deviation: float = option(1.2, above=0, most=20, says="of the logarithm of the noise level")

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        t: Tensor = path.time_of(torch.exp(self.mean - self.deviation * standard_normal(u)))
        return t.to(u)


class Shifted(
    Timesteps,
    name="shifted",
    says="uniformly, then shifted towards noise",
    source="Esser et al. 2024, arXiv 2403.03206, eq. 23",
    formula=r"$t = u / (u + \mathrm{shift}\, (1 - u))$",
):
    """Moved towards noise for larger images: with n = 1 - t, n' = shift n / (1 + (shift - 1) n).

    >>> Shifted(shift=3.0)(torch.tensor([0.0, 0.5, 0.9]), Path.of("cond_ot"))
    tensor([0.0000, 0.2500, 0.7500])
    """

    shift: float = SHIFT

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        return shifted(u, self.shift)


def shifted(t: Tensor, shift: float) -> Tensor:
    """t moved towards noise by `shift` > 1: t / (t + shift (1 - t))."""
    return t / (t + shift * (1 - t))


def standard_normal(u: Tensor) -> Tensor:
    """Standard normal numbers, float64, from uniform float32 ones: never infinite, since u is taken mid-cell."""
    z: Tensor = torch.special.ndtri(u.double() + 2.0**-25)
    return z
