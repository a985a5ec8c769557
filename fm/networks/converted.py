"""A network that was made for one path and target, asked on another path for another target."""

from typing import Any, Self

import torch
from torch import Tensor, nn

from fm.change_of_path import matching_time, scale
from fm.conditions import Condition
from fm.paths import Path, factor
from fm.targets import Target


class Converted(nn.Module):
    """A network that predicts noise on DDPM's path is one that predicts the velocity on the straight path: this one.

    Asked at x on the path `along` at t, it calls the network at the point of the network's own path that holds the same
    mixture of noise and data, and turns the answer into `answer`. Both changes are linear in x and in what the network
    says, so that is one sum: answer(x, t) = c_x(t) x + c_F(t) F(s(t) x, t'(t)), and training goes on through it
    (Karras et al. 2022, arXiv 2206.00364, section 2; Schusterbauer et al. 2025, Diff2Flow, arXiv 2506.02221).

    The three factors are made in float64. Where `along` is noisier than the network's path ever is, the network is
    asked at its start.

    Args:
        network: network(x, t, condition), for `path` and `target`; trained as any other.
        path, target: what it was made for.
        along, answer: what it is to be asked on, and for.

    Raises:
        ValueError: `answer` shows networks something else than x and t, so that they do not say which point is meant.

    >>> from fm.networks import UNetOptions
    >>> unet = UNetOptions(width=8).build((1, 8, 8), {})
    >>> network = Converted(unet, Path.of("ddpm"), Target.of("noise"), Path.of("cond_ot"), Target.of("velocity"))
    >>> network(torch.randn(2, 1, 8, 8), torch.tensor([0.25, 0.5]), {}).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, network: nn.Module, path: Path, target: Target, along: Path, answer: Target) -> None:
        super().__init__()
        if type(answer).inputs is not Target.inputs:
            raise ValueError(
                f"target {answer.name!r}: a network made for another path or target cannot be asked for it"
            )
        self.network = network
        self.path, self.target, self.along, self.answer = path, target, along, answer

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        """x (B, ...) and t (B,) of `along`; the answer like x.

        Raises:
            ValueError: a second time is told, or `answer` does not exist at such a t.
        """
        if until is not None:
            raise ValueError("a network made for another path cannot be told a second time")
        t = t.double()
        own_t = matching_time(self.along, self.path, t)
        shrunk = scale(self.along, self.path, t, own_t)
        of_x, of_said = self.factors(t, own_t)
        own_x = x * factor(shrunk, x)
        seen, told = self.target.inputs(self.path, own_x, own_t)
        said: Tensor = self.network(seen.to(x), told.to(x), condition)
        return factor(of_x * shrunk, x) * x + factor(of_said, x) * said.to(x)

    def factors(self, t: Tensor, own_t: Tensor) -> tuple[Tensor, Tensor]:
        """What the answer at t (B,) has of x on the network's own path at its time, and of what the network says
        there; float64 (B,)."""
        one, zero = torch.ones_like(own_t), torch.zeros_like(own_t)
        a, b = self.answer.mixture(self.along, t)

        def answered(said: Tensor, own_x: Tensor) -> Tensor:
            x0, x1 = self.path.ends(said, own_x, own_t, self.target.quantity)
            return a * x1 + b * x0

        return answered(zero, one), answered(one, zero)

    def around(self, network: Any) -> Self:
        """The same of another network that was made for the same."""
        return type(self)(network, self.path, self.target, self.along, self.answer)

    def extra_repr(self) -> str:
        return f"{self.target.name} on {self.path.name} as {self.answer.name} on {self.along.name}"


def unconverted(network: nn.Module) -> Any:
    """The network itself, whatever it is asked for."""
    return network.network if isinstance(network, Converted) else network
