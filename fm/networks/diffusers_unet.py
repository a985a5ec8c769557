"""The options of diffusers' UNet2DModel: fm.networks.diffusers_unet_network is the network itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from fm.components import option
from fm.conditions import Spec
from fm.networks.network import Network

if TYPE_CHECKING:
    from fm.networks.diffusers_unet_network import DiffusersUNet

Down = Literal["DownBlock2D", "AttnDownBlock2D"]
Up = Literal["UpBlock2D", "AttnUpBlock2D"]


class DiffusersUNetOptions(
    Network,
    name="diffusers_unet",
    title="diffusers' UNet",
    says="diffusers' UNet2DModel, weight by weight, for networks that were trained there",
    source="Ho et al. 2020, arXiv 2006.11239; https://huggingface.co/docs/diffusers/api/models/unet2d",
):
    """What is not said here is as in Ho et al. 2020. diffusers itself is not needed.

    >>> import torch
    >>> network = DiffusersUNetOptions(block_out_channels=(32, 64)).build((3, 16, 16), {})
    >>> network(torch.zeros(2, 3, 16, 16), torch.tensor([0.25, 0.5]), {}).shape
    torch.Size([2, 3, 16, 16])
    """

    from_elsewhere: ClassVar[bool] = True
    block_out_channels: tuple[int, ...] = option(
        (32, 64), least=4, most=8192, length=(1, 10), says="channels of each level"
    )
    down_block_types: tuple[Down, ...] = option((), says="of each level; none given: attention on all but the first")
    up_block_types: tuple[Up, ...] = option(
        (), says="of each level, the coarsest first; none given: as on the way down"
    )
    layers_per_block: int = option(
        2, least=1, most=64, says="residual blocks a level on the way down; one more on the way up"
    )
    attention_head_dim: int | None = option(
        8, least=1, most=8192, says="channels of a head of attention; null: one head"
    )
    mid_attention: bool = option(True, says="whether the middle has attention")
    norm_num_groups: int = option(32, least=1, most=1024, says="groups that channels are normalised in")
    mid_norm_groups: int | None = option(
        None,
        least=1,
        most=1024,
        says="the same before the middle's attention; null: as elsewhere, or none with scale_shift",
    )
    norm_eps: float = option(1e-5, above=0, most=0.1, says="added to the variance there")
    time_scale_shift: Literal["default", "scale_shift"] = option(
        "default", says="how a block takes the time: added, or as a scale and a shift after the norm"
    )
    flip_sin_to_cos: bool = option(True, says="whether the time's cosines come before its sines")
    freq_shift: float = option(0.0, least=0, most=1, says="1 where the slowest frequency is exactly 1/10,000")
    downsample_padding: int = option(1, least=0, most=1, says="of the convolutions that halve the grid, on all sides")
    mid_block_scale_factor: float = option(1.0, above=0, most=100, says="what blocks of the middle are divided by")
    center_input_sample: bool = option(False, says="whether data are from 0 to 1 for it, and doubled less 1 first")
    dropout: float = option(0.0, least=0, below=1, says="share of what passes a block that is left out in training")
    classes: int = option(0, least=0, most=1_000_000, says="labels that it knows; 0: none")
    variances: bool = option(False, says="whether it predicts a variance too, which is left alone")
    timesteps: int = option(1000, least=2, most=100_000, says="its time at the noise: it counts down to 0")

    def check(self) -> None:
        for name in ("down_block_types", "up_block_types"):
            if (given := getattr(self, name)) and len(given) != len(self.block_out_channels):
                raise ValueError(
                    f"{name} has {len(given)} entries for the {len(self.block_out_channels)} of block_out_channels"
                )

    @property
    def downs(self) -> tuple[bool, ...]:
        """Whether there is attention, level by level on the way down."""
        given = self.down_block_types
        return tuple(one.startswith("Attn") for one in given) or (False,) + (True,) * (len(self.block_out_channels) - 1)

    @property
    def ups(self) -> tuple[bool, ...]:
        """And on the way up."""
        return tuple(one.startswith("Attn") for one in self.up_block_types) or self.downs[::-1]

    def build(self, shape: Sequence[int], fields: Mapping[str, Spec], until: bool = False) -> DiffusersUNet:
        from fm.networks.diffusers_layers import require_known  # which need PyTorch
        from fm.networks.diffusers_unet_network import DiffusersUNet

        require_known(self.name, shape, fields, until, self.classes, 2 ** (len(self.block_out_channels) - 1))
        return DiffusersUNet(self, shape[0])
