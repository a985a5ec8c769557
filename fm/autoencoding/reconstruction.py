"""What an autoencoder learns: to give pictures back, by way of latents that are near a standard normal distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from fm.autoencoding.autoencoding import InTraining
from fm.autoencoding.discriminator import Discriminator, told_apart
from fm.autoencoding.perceptual import Perceptual
from fm.batches import Batch
from fm.noise import Purpose
from fm.noise_sources import WHITE, NoiseSource


@dataclass(frozen=True)
class Reconstruction:
    """The mean over pictures of

        error + kl KL + perceptual weight x distance + adversarial weight x (-D(made)), and D's own loss beside it,

    the error a mean over a picture's numbers, and KL, of the latents from a standard normal distribution (Kingma &
    Welling 2013, arXiv 1312.6114, appendix B), by the same count of numbers (Rombach et al. 2021, arXiv 2112.10752,
    appendix G, which sums both). The discriminator learns at the same steps, of the same pictures.

    Attributes:
        error: the absolute (l1) or the squared (l2) difference.
        kl: weight of KL; Stable Diffusion's is 1e-6.
        sampled: whether what is decoded is drawn from the latents' distribution; else it is its mean, and the codec has
            to be told (Latents.sampled).
        perceptual: the distance of what networks see in pictures, if there is one.
        adversarial: weight of the discriminator's answer; 0 means none.
        adversarial_after: images seen before that counts.
        crop: side of the part of each picture that is looked at, at a place of its own; all of it where none is given.
            What is convolved alone, and normalised point by point, learns from parts what it needs for the whole.

    >>> from fm.autoencoding import Autoencoding
    >>> from fm.batches import Batches, Budget, Examples
    >>> from fm.codecs import Pixels
    >>> from fm.conditions import Unconditional
    >>> from fm.data.rows import Arrays
    >>> from fm.networks import AutoencoderKL
    >>> import numpy as np
    >>> examples = Examples(Arrays({"data": np.zeros((50, 8, 8, 3), np.uint8)}), Pixels((8, 8, 3)), Unconditional())
    >>> batch = Batches(examples, Budget(images_seen=64, batch_size=16, learning_rate=1e-3))[0]
    >>> network = Autoencoding.untrained(AutoencoderKL(block_out_channels=(32, 32))).network
    >>> Reconstruction().loss(network, batch, network).shape
    torch.Size([])
    """

    error: Literal["l1", "l2"] = "l1"
    kl: float = 1e-6
    sampled: bool = True
    perceptual: Perceptual | None = None
    perceptual_weight: float = 1.0
    adversarial: float = 0.0
    adversarial_after: int = 0
    crop: int | None = None

    @property
    def pairing(self) -> None:
        return None

    @property
    def differences(self) -> bool:
        return False

    @property
    def source(self) -> NoiseSource:
        return WHITE  # of which it draws nothing

    def paired(self, batch: Batch) -> Batch:
        return batch

    def loss(self, network: nn.Module, batch: Batch, averaged: nn.Module) -> Tensor:
        """A scalar, of a network in training (InTraining). Raises ValueError: it has no discriminator to ask."""
        batch = batch if self.crop is None else batch._replace(data=part_of(batch, self.crop))
        data, numbers = batch.data, batch.data[0].numel()
        mean, log_variance, made = network(data, self._noise(cast(InTraining, network), batch))
        apart = made - data
        loss: Tensor = apart.abs().mean() if self.error == "l1" else apart.square().mean()
        if self.kl:
            loss = loss + self.kl * divergence(mean, log_variance).mean() / numbers
        if self.perceptual is not None:
            loss = loss + self.perceptual_weight * self.perceptual(made, data)
        if self.adversarial:
            loss = loss + self._adversarial(cast(InTraining, network), made, batch)
        return loss

    def _noise(self, network: InTraining, batch: Batch) -> Tensor | None:
        if not self.sampled:
            return None
        return batch.draws.normal(network.latents_of(batch.data), Purpose.ENCODING).to(batch.data)

    def _adversarial(self, network: InTraining, made: Tensor, batch: Batch) -> Tensor:
        discriminator = network.discriminator
        if discriminator is None:
            raise ValueError("adversarial needs a discriminator: Autoencoding.untrained(..., adversarial=True)")
        loss = told_apart(discriminator(batch.data), discriminator(made.detach()))
        if batch.draws.first >= self.adversarial_after:
            loss = loss - self.adversarial * asked_alone(discriminator, made)
        return loss


def part_of(batch: Batch, side: int) -> Tensor:
    """A square of each picture of a batch, at a place that is drawn: (B, C, side, side).

    >>> from fm.noise import Draws
    >>> batch = Batch(torch.arange(32.0).reshape(2, 1, 4, 4), {}, {}, Draws(0, range(2)))
    >>> part_of(batch, 2).shape
    torch.Size([2, 1, 2, 2])
    """
    places = batch.draws.uniform(2, Purpose.OBJECTIVE).to(batch.data.device)
    room = torch.tensor([length - side + 1 for length in batch.data.shape[2:]], device=batch.data.device)
    firsts, along = (places * room).long().clamp(max=room - 1), torch.arange(side, device=batch.data.device)
    pictures = torch.arange(len(batch.data), device=batch.data.device)
    rows, columns = ((first[:, None] + along) for first in firsts.T)
    found = batch.data[pictures[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return found.movedim(-1, 1)


def asked_alone(discriminator: Discriminator, made: Tensor) -> Tensor:
    """Its mean answer, whose gradient is of what is made and not of its own weights."""
    discriminator.requires_grad_(False)
    said: Tensor = discriminator(made).mean()
    discriminator.requires_grad_(True)
    return said


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback & Leibler's of normal distributions (B, ...) from the standard one, in nats, (B,).

    >>> import torch
    >>> divergence(torch.ones(1, 2), torch.zeros(1, 2))
    tensor([1.])
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(dim=1) / 2
