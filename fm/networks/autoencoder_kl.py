"""The options of diffusers' AutoencoderKL: fm.networks.autoencoder_kl_network is the network itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fm.components import option
from fm.networks.autoencoder import Autoencoder

if TYPE_CHECKING:
    from fm.networks.autoencoder_kl_network import AutoencoderKLNetwork

Down = Literal["DownEncoderBlock2D", "AttnDownEncoderBlock2D"]
Up = Literal["UpDecoderBlock2D", "AttnUpDecoderBlock2D"]


class AutoencoderKL(
    Autoencoder,
    name="autoencoder_kl",
    title="AutoencoderKL",
    says="diffusers' AutoencoderKL, weight by weight: Stable Diffusion's, or a small one of one's own",
    source="Rombach et al. 2021, arXiv 2112.10752; https://huggingface.co/docs/diffusers/api/models/autoencoderkl",
):
    """Options have the names and the defaults of diffusers, which is not needed itself.

    Stable Diffusion's, of 83.7 million weights:

    >>> import torch
    >>> options = AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2)
    >>> with torch.device("meta"):
    ...     network = options.build()
    >>> options.factor, sum(weight.numel() for weight in network.parameters())
    (8, 83653863)
    """

    scaling_factor: float = option(
        0.18215, above=0, most=1e6, says="what latents are multiplied with, less shift_factor"
    )
    shift_factor: float | None = option(None, least=-1e6, most=1e6, says="what is taken from latents first; null: 0")
    block_out_channels: tuple[int, ...] = option(
        (64,), least=1, most=8192, length=(1, 10), says="channels of each level; each further one halves the grid"
    )
    down_block_types: tuple[Down, ...] = option((), says="of each level; none given: without attention")
    up_block_types: tuple[Up, ...] = option((), says="of each level, the coarsest first; none given: without attention")
    layers_per_block: int = option(
        1, least=1, most=64, says="residual blocks a level on the way down; one more on the way up"
    )
    norm_num_groups: int = option(32, least=1, most=1024, says="groups that channels are normalised in")
    mid_block_add_attention: bool = option(True, says="whether the middles have attention")
    use_quant_conv: bool = option(True, says="whether a convolution of single points follows the encoder")
    use_post_quant_conv: bool = option(True, says="whether one precedes the decoder")

    def check(self) -> None:
        for name in ("down_block_types", "up_block_types"):
            if (given := getattr(self, name)) and len(given) != len(self.block_out_channels):
                raise ValueError(
                    f"{name} has {len(given)} entries for the {len(self.block_out_channels)} of block_out_channels"
                )
        for width in self.block_out_channels:
            if width % self.norm_num_groups:
                raise ValueError(
                    f"block_out_channels = {list(self.block_out_channels)}: {width} is no multiple of "
                    f"norm_num_groups = {self.norm_num_groups}"
                )

    @property
    def factor(self) -> int:
        return int(2 ** (len(self.block_out_channels) - 1))

    @property
    def shift(self) -> float:
        return self.shift_factor or 0.0

    @property
    def downs(self) -> tuple[bool, ...]:
        """Whether there is attention, level by level on the way down."""
        return tuple(one.startswith("Attn") for one in self.down_block_types) or (False,) * len(self.block_out_channels)

    @property
    def ups(self) -> tuple[bool, ...]:
        """And on the way up."""
        return tuple(one.startswith("Attn") for one in self.up_block_types) or (False,) * len(self.block_out_channels)

    def build(self) -> AutoencoderKLNetwork:
        from fm.networks.autoencoder_kl_network import AutoencoderKLNetwork  # which needs PyTorch

        return AutoencoderKLNetwork(self)
