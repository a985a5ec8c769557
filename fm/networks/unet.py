"""The options of a UNet: fm.networks.unet_network is the network itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fm.components import option
from fm.conditions import Spec
from fm.networks.network import FACTORISED, PADDING, SKIP, Network, Padding

if TYPE_CHECKING:
    from fm.networks.unet_network import UNet


class UNetOptions(
    Network,
    name="unet",
    title="UNet",
    says="residual convolutions at ever coarser grids and back, along one, two or three axes",
    source="Ho et al. 2020, arXiv 2006.11239, appendix B; Dhariwal & Nichol 2021, arXiv 2105.05233",
):
    """Where any grid has attention, or the condition a sequence, the middle of the network has attention too.

    Ho et al.'s own for CIFAR-10, of 35.7 million weights, is nearly this:

    >>> import torch
    >>> cifar10 = UNetOptions(128, multipliers=(1, 2, 2, 2), patch_size=1, attention=(16,), dropout=0.1)
    >>> with torch.device("meta"):
    ...     network = cifar10.build((3, 32, 32), {})
    >>> sum(weight.numel() for weight in network.parameters())
    36830595

    Any other grid and condition:

    >>> from fm.conditions import Label, Map
    >>> network = UNetOptions(width=8).build((2, 6, 4, 8), {"label": Label(10), "density": Map(1)})
    >>> x, t = torch.randn(3, 2, 6, 4, 8), torch.rand(3)
    >>> network(x, t, {"label": torch.tensor([3, 5, 10]), "density": torch.rand(3, 1, 6, 4, 8)}).shape
    torch.Size([3, 2, 6, 4, 8])
    """

    width: int = option(32, least=8, most=4096, multiple_of=8, says="channels of the first level")
    multipliers: tuple[int, ...] = option(
        (1, 2), least=1, most=64, length=(1, 10), says="width of each level in widths; each further one halves the grid"
    )
    blocks: int = option(2, least=1, most=128, says="residual blocks a level and direction")
    patch_size: int | tuple[int, ...] = option(
        2,
        least=1,
        most=512,
        length=(1, 3),
        says="side of the patches that become one point of the grid, or one an axis",
    )
    attention: tuple[int, ...] = option(
        (),
        least=1,
        most=4096,
        length=(0, 10),
        says="longest sides of the grids whose blocks are followed by attention",
    )
    heads: int = option(1, least=1, most=256, says="heads of that attention")
    factorised: bool = option(False, says=FACTORISED)
    skip: bool = option(False, says=SKIP)
    padding: Padding = option("zeros", says=PADDING)
    dropout: float = option(0.0, least=0, below=1, says="share of what passes a block that is left out in training")
    time_frequency: float | None = option(
        None,
        above=0,
        most=10_000,
        says="fastest of the frequencies that times are embedded by, radians per unit; null: 1000, or 10 with a second "
        "time",
    )

    def build(self, shape: Sequence[int], fields: Mapping[str, Spec], until: bool = False) -> UNet:
        from fm.networks.unet_network import UNet  # which needs PyTorch

        return UNet(self, shape, fields, until)
