"""What an autoencoder is, before it has weights: the options of its kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from fm.components import Component, option

if TYPE_CHECKING:
    from fm.networks.autoencoder_network import AutoencoderNetwork


class Autoencoder(Component, ABC, kind="autoencoder"):
    """The options of a kind of autoencoder; `build` makes one of random weights.

    Attributes:
        factor: pixels a side that become one point of the latents.

    >>> import torch
    >>> network = Autoencoder.of({"name": "autoencoder_kl", "block_out_channels": [32, 32, 32]}).build()
    >>> mean, log_variance = network.encode(torch.zeros(2, 3, 16, 16))
    >>> mean.shape, network.decode(mean).shape
    (torch.Size([2, 4, 4, 4]), torch.Size([2, 3, 16, 16]))
    """

    in_channels: int = option(3, least=1, most=1024, says="channels of the pictures")
    latent_channels: int = option(4, least=1, most=1024, says="channels of the latents")
    scaling_factor: float = option(1.0, above=0, most=1e6, says="what latents are multiplied with")

    @property
    @abstractmethod
    def factor(self) -> int: ...

    @property
    def shift(self) -> float:
        """What is taken from latents before they are multiplied."""
        return 0.0

    @abstractmethod
    def build(self) -> AutoencoderNetwork:
        """A module of random weights, drawn from torch's global generator."""
