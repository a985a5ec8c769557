"""Pictures as the latents of an autoencoder."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from fm.codecs.codec import Codec, require
from fm.codecs.measuring import Moments, chunks, draws_of, rounded
from fm.codecs.tiles import in_tiles
from fm.components import option
from fm.data.rows import Rows
from fm.errors import UserError
from fm.images import to_float, to_uint8
from fm.lazy import torch
from fm.networks import Autoencoder
from fm.noise import Draws, Purpose
from fm.precision import evaluating

if TYPE_CHECKING:
    from torch import Tensor

    from fm.networks.autoencoder_network import AutoencoderNetwork


class Latents(
    Codec,
    name="latents",
    says="pictures as the latents of an autoencoder, each channel less its mean and by a deviation",
    source="Rombach et al. 2021, arXiv 2112.10752",
):
    """uint8 (H, W, C) as float (c, h, w): a picture's latents less shift_factor, times scaling_factor, standardised.

    Its weights are no part of its choice, which names them by their sum: they come from a folder (`loaded`) or with the
    network (`around`). It computes where they are (`to`), in float32.

    >>> from fm.networks import AutoencoderKL
    >>> autoencoder = AutoencoderKL(block_out_channels=(32, 32, 32))
    >>> codec = Latents.around(autoencoder, autoencoder.build(), stored=(16, 16, 3))
    >>> codec.encode(np.zeros((2, 16, 16, 3), np.uint8)).shape, codec.decode(torch.zeros(2, *codec.shape)).shape
    (torch.Size([2, 4, 4, 4]), (2, 16, 16, 3))
    """

    dtype: ClassVar[str] = "uint8"
    on_device: ClassVar[bool] = True
    autoencoder: Autoencoder = field(kw_only=True)
    weights: str = option("", says="SHA-256 of its weights (fm.autoencoder_folders.digest)")
    sampled: bool = option(True, says="whether training draws latents from their distribution, or takes its mean")
    mean: tuple[float, ...] = option((0.0,), says="of each channel of the latents, or of all")
    deviation: tuple[float, ...] = option((1.0,), above=0, says="of each channel of the latents, or of all")
    tile: int = option(64, least=8, most=4096, says="side of the largest grid of latents that is decoded in one piece")
    network: Any = field(default=None, init=False, repr=False, compare=False)

    def check(self) -> None:
        factor, channels = self.autoencoder.factor, self.autoencoder.in_channels
        if len(self.stored) != 3 or self.stored[2] != channels or any(side % factor for side in self.stored[:2]):
            raise ValueError(
                f"stored = {list(self.stored)}: must be pictures [height, width, {channels}] with sides that are "
                f"multiples of {factor}, which its autoencoder makes latents of"
            )
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            if len(values) not in (1, self.autoencoder.latent_channels):
                raise ValueError(
                    f"{name} has {len(values)} numbers for {self.autoencoder.latent_channels} channels of latents"
                )

    @classmethod
    def around(
        cls, autoencoder: Autoencoder, network: AutoencoderNetwork, stored: tuple[int, ...], **options: Any
    ) -> Self:
        """Of a network that is there, which is not trained any further.

        Raises:
            ValueError: pictures that it makes no latents of, or an option that cannot be.
        """
        from fm.autoencoder_folders import digest  # which needs safetensors

        return cls(stored=stored, autoencoder=autoencoder, weights=digest(network), **options)._with(network)

    @classmethod
    def in_folder(cls, folder: Path, stored: tuple[int, ...], **options: Any) -> Self:
        """Of a folder that diffusers has written, a pipeline's too.

        Raises:
            GeneratorError: it cannot be read, or is of a kind that is not known here.
            ValueError: pictures that it makes no latents of, or an option that cannot be.
        """
        from fm.autoencoder_folders import read

        return cls.around(*read(folder), stored=stored, **options)

    def fitted(self, rows: Rows, together: bool = False) -> Self:
        """With each channel's own mean and deviation, drawn as in training; one that never changes stays as wide as it
        is. The scale is 1 then, to rounding.

        Args:
            together: by one deviation, of all channels: what is large in pictures stays large beside the rest.
        """
        plain = self.changed(mean=(0.0,), deviation=(1.0,))
        moments = Moments(self.autoencoder.latent_channels)
        for some in chunks(len(rows), prod(self.stored)):
            moments.add(plain.encode(rows[some]["data"], draws_of(some)).double().numpy())
        each = moments.deviation()
        deviation = tuple(rounded(value) or 1.0 for value in ([np.sqrt(np.mean(each**2))] if together else each))
        return self.changed(mean=tuple(map(rounded, moments.mean())), deviation=deviation, scale=1.0)

    @property
    def shape(self) -> tuple[int, ...]:
        height, width, _ = self.stored
        return self.autoencoder.latent_channels, height // self.autoencoder.factor, width // self.autoencoder.factor

    @property
    def bound(self) -> None:
        return None

    @property
    def origin(self) -> str:
        return self.weights

    def encode(self, stored: NDArray[Any] | Tensor, draws: Draws | None = None) -> Tensor:
        """Drawn from their distribution, if it is `sampled` and draws are given; else its mean.

        Raises:
            UserError: its weights are not there.
        """
        return self.modelled(*self.distribution(stored), draws)

    def distribution(self, stored: NDArray[Any] | Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance as the network has them, float32 (B, *shape) each, where the data are."""
        require(self, stored)
        if stored.dtype not in (np.uint8, torch.uint8):
            raise ValueError(f"pixels are uint8, not {stored.dtype}")
        network, device = self._network()
        where = torch.device("cpu") if isinstance(stored, np.ndarray) else stored.device
        means, log_variances = [], []
        with torch.no_grad(), evaluating("float32", device):
            for rows in self._parts(len(stored)):
                mean, log_variance = network.encode(to_float(stored[rows]).to(device))
                means.append(mean.to(where))
                log_variances.append(log_variance.to(where))
        return torch.cat(means), torch.cat(log_variances)

    def modelled(self, mean: Tensor, log_variance: Tensor, draws: Draws | None) -> Tensor:
        """Latents of this distribution, as networks are given them."""
        z = mean
        if self.sampled and draws is not None:
            z = mean + (log_variance / 2).exp() * draws.normal(self.shape, Purpose.ENCODING).to(mean)
        scaled = (z - self.autoencoder.shift) * self.autoencoder.scaling_factor
        return (scaled - self._channels(self.mean, z)) / self._channels(self.deviation, z)

    def raw(self, x: Tensor) -> Tensor:
        """Latents as the autoencoder has them, of those that networks have: float32 (B, *shape)."""
        scaled = x.float() * self._channels(self.deviation, x) + self._channels(self.mean, x)
        return scaled / self.autoencoder.scaling_factor + self.autoencoder.shift

    def decode(self, x: Tensor) -> NDArray[np.uint8]:
        """Rounded to nearest, what lies outside clipped; a grid larger than a tile in tiles (fm.codecs.tiles).

        Raises:
            UserError: its weights are not there.
        """
        network, device = self._network()
        made = []
        with torch.no_grad(), evaluating("float32", device):
            for rows in self._parts(len(x)):
                z = self.raw(x[rows].to(device))
                made.append(to_uint8(in_tiles(network.decode, z, self.tile, self.autoencoder.factor)))
        return np.concatenate(made)

    def changed(self, **options: Any) -> Self:
        return super().changed(**options)._with(self.network)

    def save(self, folder: Path) -> None:
        """As diffusers does, which can read it too. Raises UserError: its weights are not there."""
        from fm.autoencoder_folders import write

        network, _ = self._network()
        write(folder, self.autoencoder, network)

    def loaded(self, folder: Path) -> Self:
        from fm.autoencoder_folders import digest, network_in
        from fm.generator_files import GeneratorError

        network = network_in(folder, self.autoencoder)
        if digest(network) != self.weights:
            raise GeneratorError(f"{folder} has other weights than those of the autoencoder that these latents are of")
        return self._with(network)

    def to(self, device: torch.device | str) -> None:
        if self.network is not None:
            self.network.to(device)

    def _with(self, network: AutoencoderNetwork | None) -> Self:
        other = copy.copy(self)
        object.__setattr__(other, "network", None if network is None else ready(network))
        return other

    def _network(self) -> tuple[AutoencoderNetwork, torch.device]:
        """And where it is."""
        if self.network is None:
            raise UserError("the autoencoder's weights are not there: Generator.load and Prepared.open bring them")
        return self.network, next(self.network.parameters()).device

    def _parts(self, count: int) -> Iterator[slice]:
        """As many data at a time as have the points of one tile."""
        _, height, width = self.shape
        size = max(self.tile**2 // (height * width), 1)
        return (slice(first, first + size) for first in range(0, count, size))

    def _channels(self, values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, device=like.device).reshape(-1, 1, 1)


def ready(network: AutoencoderNetwork) -> AutoencoderNetwork:
    """To be asked and not trained, in the memory format that is fastest, so that its answers are the same bits wherever
    it comes from."""
    from fm.networks.layers import in_channels_last  # which needs PyTorch

    return in_channels_last(network.eval().requires_grad_(False))
