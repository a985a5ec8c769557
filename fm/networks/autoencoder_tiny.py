"""The options of diffusers' AutoencoderTiny: fm.networks.autoencoder_tiny_network is the network itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fm.components import option
from fm.networks.autoencoder import Autoencoder

if TYPE_CHECKING:
    from fm.networks.autoencoder_tiny_network import AutoencoderTinyNetwork


class AutoencoderTiny(
    Autoencoder,
    name="autoencoder_tiny",
    title="AutoencoderTiny",
    says="diffusers' AutoencoderTiny, weight by weight: plain convolutions, whose latents are certain",
    source="https://github.com/madebyollin/taesd; https://huggingface.co/docs/diffusers/api/models/autoencoder_tiny",
):
    """Options have the names and the defaults of diffusers, which is not needed itself.

    TAESD, which decodes the latents of Stable Diffusion, of 2.4 million weights:

    >>> options = AutoencoderTiny()
    >>> options.factor, sum(weight.numel() for weight in options.build().parameters())
    (8, 2445063)
    """

    scaling_factor: float = option(1.0, above=0, most=1e6, says="what latents are multiplied with, less shift_factor")
    shift_factor: float = option(0.0, least=-1e6, most=1e6, says="what is taken from latents first")
    encoder_block_out_channels: tuple[int, ...] = option(
        (64, 64, 64, 64), least=1, most=8192, length=(1, 10), says="channels of each level, all alike"
    )
    decoder_block_out_channels: tuple[int, ...] = option(
        (64, 64, 64, 64), least=1, most=8192, length=(1, 10), says="the same on the way back"
    )
    num_encoder_blocks: tuple[int, ...] = option(
        (1, 3, 3, 3), least=0, most=64, length=(1, 10), says="blocks of each level; each further one halves the grid"
    )
    num_decoder_blocks: tuple[int, ...] = option(
        (3, 3, 3, 1), least=0, most=64, length=(1, 10), says="blocks of each level on the way back, the coarsest first"
    )

    def check(self) -> None:
        levels = len(self.num_encoder_blocks)
        names = "encoder_block_out_channels", "decoder_block_out_channels", "num_decoder_blocks"
        for name in names:
            if len(given := getattr(self, name)) != levels:
                raise ValueError(f"{name} has {len(given)} entries for the {levels} of num_encoder_blocks")
        for name in names[:2]:
            if len(set(given := getattr(self, name))) > 1:
                raise ValueError(f"{name} = {list(given)}: must be all alike")

    @property
    def factor(self) -> int:
        return int(2 ** (len(self.num_encoder_blocks) - 1))

    @property
    def shift(self) -> float:
        return self.shift_factor

    def build(self) -> AutoencoderTinyNetwork:
        from fm.networks.autoencoder_tiny_network import AutoencoderTinyNetwork  # which needs PyTorch

        return AutoencoderTinyNetwork(self)
