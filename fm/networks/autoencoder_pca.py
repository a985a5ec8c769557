"""The options of an autoencoder that begins as principal components: fm.networks.autoencoder_pca_network is the network
itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fm.components import option
from fm.networks.autoencoder import Autoencoder

if TYPE_CHECKING:
    from fm.networks.autoencoder_pca_network import AutoencoderPCANetwork


class AutoencoderPCA(
    Autoencoder,
    name="autoencoder_pca",
    title="AutoencoderPCA",
    says="the principal components of square patches, and details that a network adds to what they give back",
    source="Pearson 1901; Hotelling 1933",
):
    """Of all linear autoencoders of patches, the one that loses least is known without training. What is trained adds
    details to it, so that it is of use after minutes on a CPU; diffusers has none like it.

    >>> options = AutoencoderPCA(patch=16, widths=(128, 64))
    >>> options.factor, options.finest
    (16, 8)
    """

    latent_channels: int = option(16, least=1, most=1024, says="channels of the latents: components of a patch")
    patch: int = option(16, least=1, most=32, says="pixels of a side of a patch, which is one point of the latents")
    widths: tuple[int, ...] = option(
        (128, 96, 64),
        least=1,
        most=8192,
        length=(1, 7),
        says="channels of the details; each further one doubles the grid",
    )
    blocks: int = option(2, least=1, most=64, says="residual blocks at each grid of the details")

    def check(self) -> None:
        if self.patch % 2 ** (len(self.widths) - 1):
            raise ValueError(
                f"widths has {len(self.widths)} entries, and patch = {self.patch} pixels are not doubled "
                f"{len(self.widths) - 1} times: must be a multiple of {2 ** (len(self.widths) - 1)}"
            )
        if self.latent_channels > (most := self.in_channels * self.patch**2):
            raise ValueError(
                f"latent_channels = {self.latent_channels}: must be at most the {most} numbers of a patch, "
                f"{self.in_channels} channels of {self.patch} x {self.patch} pixels"
            )

    @property
    def factor(self) -> int:
        return self.patch

    @property
    def finest(self) -> int:
        """Pixels a side that one point of the details' finest grid becomes."""
        return int(self.patch // 2 ** (len(self.widths) - 1))

    def build(self) -> AutoencoderPCANetwork:
        from fm.networks.autoencoder_pca_network import AutoencoderPCANetwork  # which needs PyTorch

        return AutoencoderPCANetwork(self)
