"""What a network is trained to predict: a quantity a x1 + b x0 of the path, and what the network is shown for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Self, cast

from fm.components import Component, option
from fm.paths import Path, PathSample, Quantity, like

if TYPE_CHECKING:
    from torch import Tensor

SIGMA_DATA = option(None, above=0, most=1e6, says="standard deviation of the data; null: as it was measured")


class Target(Component, ABC, kind="target"):
    """A prediction target. A path takes its `quantity` wherever it takes one (Path.convert).

    >>> Target.of({"name": "edm", "sigma_data": 0.5})
    EDM(sigma_data=0.5)
    """

    @abstractmethod
    def mixture(self, path: Path, t: Tensor) -> tuple[Tensor, Tensor]:
        """The a and b of a x1 + b x0 at t, each like t."""

    @property
    def quantity(self) -> Quantity:
        """What a path calls it."""
        return self

    def answer(self, path: Path, point: PathSample) -> Tensor:
        """What the network is to say at a point of the path, like x_t."""
        a, b = self.mixture(path, like(point.t, point.x_t))
        return a * point.x1 + b * point.x0

    def inputs(self, path: Path, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """What the network is shown for x_t (B, ...) at t (B,): the same, unless the target says otherwise."""
        return x_t, t

    def at_scale(self, sigma_data: float) -> Self:
        """The same for data of this standard deviation, where the target depends on it and does not say its own."""
        return self


class Named(Target):
    """One of a path's own quantities (Path.mixture).

    >>> Velocity().quantity
    'velocity'
    """

    @property
    def quantity(self) -> Quantity:
        return cast(Quantity, self.name)

    def mixture(self, path: Path, t: Tensor) -> tuple[Tensor, Tensor]:
        return path.mixture(self.quantity, t)


class Velocity(
    Named,
    name="velocity",
    says="the velocity along the path",
    source="Lipman et al. 2022, arXiv 2210.02747",
    formula=r"$\dot\alpha\, x_1 + \dot\sigma\, x_0$",
):
    """dx_t / dt, what flow matching predicts.

    >>> import torch
    >>> path = Path.of("cond_ot")
    >>> point = path.sample(torch.tensor([[2.0]]), torch.tensor([[1.0]]), torch.tensor([0.25]))
    >>> Velocity().answer(path, point)
    tensor([[-1.]])
    """

    def answer(self, path: Path, point: PathSample) -> Tensor:
        return point.velocity


class Data(Named, name="data", says="the data", formula="$x_1$"):
    """x1.

    >>> import torch
    >>> path = Path.of("cond_ot")
    >>> point = path.sample(torch.tensor([[2.0]]), torch.tensor([[1.0]]), torch.tensor([0.25]))
    >>> Data().answer(path, point)
    tensor([[1.]])
    """


class Noise(Named, name="noise", says="the noise", source="Ho et al. 2020, arXiv 2006.11239", formula="$x_0$"):
    """x0, what DDPM predicts.

    >>> import torch
    >>> path = Path.of("cond_ot")
    >>> point = path.sample(torch.tensor([[2.0]]), torch.tensor([[1.0]]), torch.tensor([0.25]))
    >>> Noise().answer(path, point)
    tensor([[2.]])
    """


class Score(
    Named, name="score", says="the score", source="Song et al. 2020, arXiv 2011.13456", formula=r"$-x_0 / \sigma$"
):
    """The gradient of log p(x_t | x1).

    >>> import torch
    >>> path = Path.of("cond_ot")
    >>> point = path.sample(torch.tensor([[2.0]]), torch.tensor([[1.0]]), torch.tensor([0.25]))
    >>> Score().answer(path, point)
    tensor([[-2.6667]])
    """


class V(
    Named,
    name="v",
    says="v, a mixture of data and noise",
    source="Salimans & Ho 2022, arXiv 2202.00512",
    formula=r"$\alpha x_0 - \sigma x_1$",
):
    """On a variance-preserving path the velocity in the angle between noise and data.

    >>> import torch
    >>> path = Path.of("cond_ot")
    >>> point = path.sample(torch.tensor([[2.0]]), torch.tensor([[1.0]]), torch.tensor([0.25]))
    >>> V().answer(path, point)
    tensor([[-0.2500]])
    """


class EDM(
    Target,
    name="edm",
    title="EDM",
    says="EDM's mixture of data and noise",
    source="Karras et al. 2022, arXiv 2206.00364, eq. 8",
    formula=r"$(\sigma x_1 / s - \alpha s\, x_0) / \sqrt{\alpha^2 s^2 + \sigma^2}$ with $s$ = `sigma_data`",
):
    """What EDM's preconditioned network says (Path.preconditioned).

    >>> import torch
    >>> path = Path.of("edm")
    >>> point = path.sample(torch.tensor([[2.0]]), torch.tensor([[1.0]]), torch.tensor([0.25]))
    >>> EDM(sigma_data=0.5).answer(path, point)
    tensor([[1.9833]])
    """

    sigma_data: float | None = SIGMA_DATA

    @property
    def scale(self) -> float:
        return known_scale(self.sigma_data, "target")

    def mixture(self, path: Path, t: Tensor) -> tuple[Tensor, Tensor]:
        return path.preconditioned(t, self.scale)

    def inputs(self, path: Path, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """c_in x of unit variance and c_noise = ln(sigma) / 4 (Karras et al. 2022, table 1), of the noise level
        sigma / alpha, held within the 0.002 to 80 of their sampler, beyond which nothing changes."""
        level = path.ratio(t).clamp(0.002, 80.0)
        return x_t / path.spread(like(t, x_t), self.scale), level.log() / 4

    def at_scale(self, sigma_data: float) -> Self:
        return replace(self, sigma_data=sigma_data) if self.sigma_data is None else self


def known_scale(sigma_data: float | None, what: str) -> float:
    """Raises ValueError where the data's standard deviation is neither given nor measured."""
    if sigma_data is None:
        raise ValueError(f"{what} 'edm': sigma_data is not known: give it, or the data's own with at_scale")
    return sigma_data
