"""What every autoencoder's network can do."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from torch import Tensor, nn

CERTAIN = -30.0
"""The log-variance of latents that have none."""


class AutoencoderNetwork(nn.Module, ABC):
    """Between pictures (B, C, H, W) in [-1, 1] and a normal distribution of latents (B, c, h, w).

    >>> class Halves(AutoencoderNetwork):
    ...     def encode(self, x):
    ...         return x[:, :, ::2, ::2], torch.full_like(x[:, :, ::2, ::2], -30.0)
    ...     def decode(self, z):
    ...         return z.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    >>> import torch
    >>> Halves()(torch.ones(1, 1, 4, 4)).shape
    torch.Size([1, 1, 4, 4])
    """

    def initialise(self, pictures: Iterable[Tensor]) -> None:
        """Set the weights to where training best begins, by pictures (B, C, H, W) in [-1, 1], some at a time. Random
        ones stay as they are, unless the kind knows better."""

    @abstractmethod
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, as they leave the network: neither scaled nor shifted."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Pictures of such latents; nothing keeps them within [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        """What becomes of pictures by way of the mean."""
        return self.decode(self.encode(x)[0])
