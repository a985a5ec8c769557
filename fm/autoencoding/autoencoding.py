"""An autoencoder in training."""

import copy
from math import prod
from pathlib import Path
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from fm import autoencoder_folders
from fm.autoencoding.discriminator import Discriminator
from fm.batches import Examples
from fm.codecs import Latents
from fm.codecs.measuring import chunks
from fm.data.rows import Some, evenly
from fm.networks import Autoencoder
from fm.networks.autoencoder_network import AutoencoderNetwork
from fm.networks.layers import in_channels_last

LOOKED_AT = 500
"""Pictures that a network is initialised by."""


class InTraining(nn.Module):
    """An autoencoder's network, and beside it the one that tells its pictures from real ones, if there is one.

    >>> from fm.networks import AutoencoderKL
    >>> network = InTraining(AutoencoderKL(block_out_channels=(32, 32)))
    >>> mean, log_variance, made = network(torch.zeros(2, 3, 8, 8), noise=torch.zeros(2, 4, 4, 4))
    >>> mean.shape, made.shape
    (torch.Size([2, 4, 4, 4]), torch.Size([2, 3, 8, 8]))
    """

    def __init__(self, options: Autoencoder, discriminator: Discriminator | None = None) -> None:
        super().__init__()
        self.options = options
        self.autoencoder = options.build()
        self.discriminator = discriminator

    def latents_of(self, x: Tensor) -> tuple[int, int, int]:
        """(c, h, w) of the latents of x (B, C, H, W)."""
        factor = self.options.factor
        return self.options.latent_channels, x.shape[2] // factor, x.shape[3] // factor

    def forward(self, x: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log-variance of the latents of x (B, C, H, W), and what is decoded of latents drawn with `noise`, or
        of the mean where there is none."""
        mean, log_variance = self.autoencoder.encode(x)
        z = mean if noise is None else mean + (log_variance / 2).exp() * noise
        return mean, log_variance, self.autoencoder.decode(z)


class Autoencoding:
    """What fm.training takes in a generator's place (fm.training.trainee.Trainee).

    >>> from fm.networks import AutoencoderKL
    >>> autoencoding = Autoencoding.untrained(AutoencoderKL(block_out_channels=(32, 32)))
    >>> autoencoding.codec(stored=(8, 8, 3)).shape
    (4, 4, 4)
    """

    def __init__(self, autoencoder: Autoencoder, network: InTraining) -> None:
        self.autoencoder = autoencoder
        self.network: nn.Module = network

    @classmethod
    def untrained(cls, autoencoder: Autoencoder, adversarial: bool = False) -> Self:
        """Of random weights, from torch's global generator.

        Args:
            adversarial: whether there is a discriminator (Reconstruction.adversarial).
        """
        discriminator = Discriminator(autoencoder.in_channels) if adversarial else None
        return cls(autoencoder, in_channels_last(InTraining(autoencoder, discriminator)))

    def initialise(self, examples: Examples) -> None:
        """Begin where the network best begins on such pictures (AutoencoderNetwork.initialise), by some of them."""
        some = Some(examples.rows, evenly(len(examples.rows), LOOKED_AT))
        self._own().initialise(
            examples.codec.encode(some[rows]["data"]) for rows in chunks(len(some), prod(examples.codec.stored))
        )

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def around(self, network: nn.Module) -> Self:
        other = copy.copy(self)
        other.network = network
        return other

    def save(self, folder: Path) -> None:
        """The autoencoder alone, as diffusers has it."""
        autoencoder_folders.write(folder, self.autoencoder, self._own())

    def codec(self, stored: tuple[int, ...], **options: Any) -> Latents:
        """Of such pictures, with a copy of its present weights; not yet standardised (Latents.fitted)."""
        return Latents.around(self.autoencoder, copy.deepcopy(self._own()), stored, **options)

    def _own(self) -> AutoencoderNetwork:
        return cast(InTraining, self.network).autoencoder
