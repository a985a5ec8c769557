"""The options of a diffusion transformer: fm.networks.transformer_network is the network itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fm.components import option
from fm.conditions import Spec
from fm.networks.network import FACTORISED, PADDING, SKIP, Network, Padding

if TYPE_CHECKING:
    from fm.networks.transformer_network import Transformer


class TransformerOptions(
    Network,
    name="transformer",
    title="transformer",
    says="attention among patches, shifted and scaled by time and condition, along any number of axes",
    source="Peebles & Xie 2022, arXiv 2212.09748",
):
    """A condition's tokens are looked at as the patches are. With `joint` they look back, and change from block to
    block by weights of their own.

    >>> import torch
    >>> from fm.conditions import Sequence
    >>> fields = {"text": Sequence(width=5, length=7)}
    >>> network = TransformerOptions(width=16, blocks=1).build((1, 4, 6), fields, until=True)
    >>> x, t, text = torch.randn(2, 1, 4, 6), torch.rand(2), torch.randn(2, 7, 5)
    >>> told = {"text": text, "text_mask": torch.ones(2, 7, dtype=torch.bool)}
    >>> network(x, t, told, until=torch.ones(2)).shape
    torch.Size([2, 1, 4, 6])
    """

    width: int = option(64, least=8, most=4096, multiple_of=8, says="numbers that describe a patch")
    blocks: int = option(4, least=1, most=128, says="transformer blocks")
    heads: int = option(4, least=1, most=256, says="attention heads")
    patch_size: int | tuple[int, ...] = option(
        2, least=1, most=512, length=(1, 16), says="side of the patches that become one token, or one an axis"
    )
    dropout: float = option(0.0, least=0, below=1, says="share of what a block adds that is left out in training")
    rotary: bool = option(
        False, says="places of patches as turns of queries and keys, and not as numbers added to the patches"
    )
    joint: bool = option(
        False, says="a condition's tokens as a stream of their own, which meets that of the patches in every attention"
    )
    qk_norm: bool = option(
        False, says="queries and keys normalised before they meet, which keeps large and long trainings stable"
    )
    factorised: bool = option(False, says=FACTORISED)
    skip: bool = option(False, says=SKIP)
    padding: Padding = option("zeros", says=PADDING)
    time_frequency: float | None = option(
        None,
        above=0,
        most=10_000,
        says="fastest of the frequencies that times are embedded by, radians per unit; null: 1000, or 10 with a second "
        "time",
    )

    def check(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")

    def build(self, shape: Sequence[int], fields: Mapping[str, Spec], until: bool = False) -> Transformer:
        from fm.networks.transformer_network import Transformer  # which needs PyTorch

        return Transformer(self, shape, fields, until)
