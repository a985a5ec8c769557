"""Latents that have been made already, so that training need not encode."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from fm.codecs.codec import Codec, require
from fm.codecs.latents import Latents
from fm.images import tensor_of
from fm.lazy import torch
from fm.noise import Draws

if TYPE_CHECKING:
    from torch import Tensor

CERTAIN = -30.0
"""The log-variance of what has none."""


class Encoded(Codec, name="encoded", says="latents that have been made already, by their mean and log-variance"):
    """float16 (c, h, w), the means of an autoencoder's latents as they leave it, or (2c, h, w), with the log-variances
    behind them where training draws latents (Latents.sampled); as float (c, h, w), what its Latents make of a picture.

    >>> from fm.networks import AutoencoderKL
    >>> autoencoder = AutoencoderKL(block_out_channels=(32, 32))
    >>> latents = Latents.around(autoencoder, autoencoder.build(), stored=(8, 8, 3))
    >>> pictures = np.zeros((2, 8, 8, 3), np.uint8)
    >>> codec = Encoded.of_latents(latents)
    >>> codec.stored, codec.shape
    ((8, 4, 4), (4, 4, 4))
    >>> torch.allclose(codec.encode(codec.stores(pictures)), latents.encode(pictures), atol=1e-3)
    True
    """

    dtype: ClassVar[str] = "float16"
    on_device: ClassVar[bool] = True
    latents: Codec = field(kw_only=True)

    def check(self) -> None:
        if not isinstance(self.latents, Latents):
            raise ValueError(f"latents = {self.latents.name}: must be a codec latents")
        if self.stored != stored_of(self.latents):
            raise ValueError(f"stored = {list(self.stored)}: must be {list(stored_of(self.latents))}")

    @classmethod
    def of_latents(cls, latents: Latents) -> Self:
        return cls(stored=stored_of(latents), scale=latents.scale, latents=latents)

    @property
    def own(self) -> Latents:
        assert isinstance(self.latents, Latents)
        return self.latents

    @property
    def of_samples(self) -> Codec:
        return self.own.changed(scale=self.scale)

    @property
    def origin(self) -> str:
        return self.own.origin

    @property
    def shape(self) -> tuple[int, ...]:
        return self.own.shape

    @property
    def bound(self) -> None:
        return None

    def stores(self, pictures: NDArray[np.uint8]) -> NDArray[np.float16]:
        """What is to be stored of pictures (B, H, W, C)."""
        mean, log_variance = self.own.distribution(pictures)
        both = [mean, log_variance] if self.own.sampled else [mean]
        return np.ascontiguousarray(torch.cat(both, dim=1).numpy()).astype(np.float16)

    def encode(self, stored: NDArray[Any] | Tensor, draws: Draws | None = None) -> Tensor:
        require(self, stored)
        moments = (tensor_of(stored) if isinstance(stored, np.ndarray) else stored).float()
        mean, log_variance = moments.chunk(2, dim=1) if self.own.sampled else (moments, torch.zeros_like(moments))
        return self.own.modelled(mean, log_variance, draws)

    def decode(self, x: Tensor) -> NDArray[np.float16]:
        """As latents that are certain; pictures of them makes `of_samples`."""
        mean = self.own.raw(x)
        both = [mean, torch.full_like(mean, CERTAIN)] if self.own.sampled else [mean]
        return np.ascontiguousarray(torch.cat(both, dim=1).cpu().numpy()).astype(np.float16)

    def save(self, folder: Path) -> None:
        self.own.save(folder)

    def loaded(self, folder: Path) -> Self:
        return self.changed(latents=self.own.loaded(folder))

    def to(self, device: torch.device | str) -> None:
        self.own.to(device)


def stored_of(latents: Latents) -> tuple[int, ...]:
    channels, *grid = latents.shape
    return channels * (2 if latents.sampled else 1), *grid
