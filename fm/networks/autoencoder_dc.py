"""The options of diffusers' AutoencoderDC: fm.networks.autoencoder_dc_network is the network itself."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from fm.components import option
from fm.networks.autoencoder import Autoencoder

if TYPE_CHECKING:
    from fm.networks.autoencoder_dc_network import AutoencoderDCNetwork

Block = Literal["ResBlock", "EfficientViTBlock"]
WIDTHS = 128, 256, 512, 512, 1024, 1024
SCALES: tuple[tuple[int, ...], ...] = (), (), (), (5,), (5,), (5,)


class AutoencoderDC(
    Autoencoder,
    name="autoencoder_dc",
    title="AutoencoderDC",
    says="diffusers' AutoencoderDC, weight by weight: of great factors, whose latents are certain",
    source="Chen et al. 2024, arXiv 2410.10733; https://huggingface.co/docs/diffusers/api/models/autoencoder_dc",
):
    """Options have the names and the defaults of diffusers, which is not needed itself.

    Each way past a grid is an average or a copy of pixels, so that what is between learns what that lacks.

    >>> AutoencoderDC().factor
    32
    """

    latent_channels: int = option(32, least=1, most=1024, says="channels of the latents")
    scaling_factor: float = option(1.0, above=0, most=1e6, says="what latents are multiplied with")
    attention_head_dim: int = option(32, least=1, most=8192, says="channels of a head of attention")
    encoder_block_types: Block | tuple[Block, ...] = option("ResBlock", says="of all levels, or level by level")
    decoder_block_types: Block | tuple[Block, ...] = option("ResBlock", says="the same on the way back")
    encoder_block_out_channels: tuple[int, ...] = option(
        WIDTHS, least=1, most=8192, length=(1, 10), says="channels of each level; each further one halves the grid"
    )
    decoder_block_out_channels: tuple[int, ...] = option(
        WIDTHS, least=1, most=8192, length=(1, 10), says="the same on the way back, the finest first"
    )
    encoder_layers_per_block: tuple[int, ...] = option(
        (2, 2, 2, 3, 3, 3), least=0, most=64, length=(1, 10), says="blocks of each level; the first may have none"
    )
    decoder_layers_per_block: tuple[int, ...] = option(
        (3, 3, 3, 3, 3, 3), least=0, most=64, length=(1, 10), says="the same on the way back, the finest first"
    )
    encoder_qkv_multiscales: tuple[tuple[int, ...], ...] = option(
        SCALES, least=1, most=63, says="sides of what attention looks at beside single points, level by level"
    )
    decoder_qkv_multiscales: tuple[tuple[int, ...], ...] = option(
        SCALES, least=1, most=63, says="the same on the way back, the finest level first"
    )
    upsample_block_type: Literal["pixel_shuffle", "interpolate"] = option(
        "pixel_shuffle", says="how grids are doubled: by channels, or by copies"
    )
    downsample_block_type: Literal["pixel_unshuffle", "conv"] = option(
        "pixel_unshuffle", says="how grids are halved: into channels, or by a convolution"
    )
    encoder_out_shortcut: bool = option(True, says="whether latents have an average of what they are made from")
    decoder_in_shortcut: bool = option(True, says="whether what is made from latents has copies of them")

    def check(self) -> None:
        levels = len(self.encoder_block_out_channels)
        for side in ("encoder", "decoder"):
            for name in ("block_types", "block_out_channels", "layers_per_block", "qkv_multiscales"):
                given = getattr(self, f"{side}_{name}")
                if not isinstance(given, str) and len(given) != levels:
                    raise ValueError(
                        f"{side}_{name} has {len(given)} entries for the {levels} of encoder_block_out_channels"
                    )
            widths = getattr(self, f"{side}_block_out_channels")
            if widths[-1] % self.latent_channels or any(4 * one % other for one, other in pairwise(widths)):
                raise ValueError(
                    f"{side}_block_out_channels = {list(widths)}: each must divide four times the one before, and "
                    f"latent_channels = {self.latent_channels} the last"
                )
            counts = getattr(self, f"{side}_layers_per_block")
            if not all(counts[1:] or counts):
                raise ValueError(
                    f"{side}_layers_per_block = {list(counts)}: only the first of several levels may have no blocks"
                )

    @property
    def factor(self) -> int:
        return int(2 ** (len(self.encoder_block_out_channels) - 1))

    def build(self) -> AutoencoderDCNetwork:
        from fm.networks.autoencoder_dc_network import AutoencoderDCNetwork  # which needs PyTorch

        return AutoencoderDCNetwork(self)
