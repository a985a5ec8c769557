"""How different pictures look to a network that was trained to recognise what is in them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.errors import UserError
from fm.metrics.extractors import Extractor

SMALLEST = 1e-10
"""Added to squared lengths, which may be 0."""


class Perceptual:
    """The squared distance of a network's activations, each position's scaled to length 1, mean over positions and
    layers: LPIPS without learnt weights (Zhang et al. 2018, arXiv 1801.03924, equation 1).

    Args:
        network: one that has been trained; it is kept as it is.
        layers: the names of the modules in it whose outputs (B, C, H, W) are compared.
        asked: how the network is called with pictures (B, C, H, W) in [-1, 1].

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    >>> perceptual = Perceptual(network, layers=["1"])
    >>> x = torch.rand(2, 1, 8, 8)
    >>> perceptual(x, x)
    tensor(0.)
    """

    def __init__(
        self, network: nn.Module, layers: Sequence[str], asked: Callable[[nn.Module, Tensor], Any] | None = None
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.layers = [network.get_submodule(name) for name in layers]
        self.asked = asked or (lambda network, x: network(x))

    @classmethod
    def of(cls, extractor: Extractor) -> Self:
        """By an extractor's own network. Raises UserError: it is none that has layers to compare by."""
        if not extractor.layers:
            raise UserError(f"extractor {extractor.setting} has no layers to compare pictures by: classifier and "
                            "efficientnet_lite0 have")  # fmt: skip
        return cls(extractor.network, extractor.layers, ASKED.get(extractor.name))  # type: ignore[attr-defined]

    def __call__(self, made: Tensor, real: Tensor) -> Tensor:
        """The mean over pictures, a scalar, with gradients of what is made."""
        with torch.no_grad():
            wanted = self.activations(real)
        distances = [
            (unit(one) - unit(other)).square().sum(dim=1).mean()
            for one, other in zip(self.activations(made), wanted, strict=True)
        ]
        return torch.stack(distances).mean()

    def activations(self, x: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        hooks = [layer.register_forward_hook(lambda _, __, said: found.append(said)) for layer in self.layers]
        try:
            self.asked(self.network.to(x.device), x)
        finally:
            for hook in hooks:
                hook.remove()
        return found


def unit(activations: Tensor) -> Tensor:
    """(B, C, H, W), of length 1 along C."""
    return activations / (activations.square().sum(dim=1, keepdim=True) + SMALLEST).sqrt()


def asked_of_classifier(network: nn.Module, x: Tensor) -> Tensor:
    """Its convolutions alone: x may be parts of pictures."""
    seen: Tensor = network.convolved(x)  # type: ignore[operator]
    return seen


def asked_of_efficientnet(network: nn.Module, x: Tensor) -> Tensor:
    """Its own scaling (fm.metrics.extractors.efficientnet), of colours and 128 pixels a side."""
    coloured = x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x
    enlarged = F.interpolate(coloured, size=(128, 128), mode="bilinear", antialias=True)
    maps: Tensor = network.extract_features((enlarged * 127.5 + 0.5) / 128)  # type: ignore[operator]
    return maps


ASKED: Mapping[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "classifier": asked_of_classifier,
    "efficientnet_lite0": asked_of_efficientnet,
}
"""By the extractor's name, where its network is not simply called."""
