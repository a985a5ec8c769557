"""The options of diffusers' DiTTransformer2DModel: fm.networks.diffusers_transformer_network is the network itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fm.components import option
from fm.conditions import Spec
from fm.networks.network import Network

if TYPE_CHECKING:
    from fm.networks.diffusers_transformer_network import DiffusersTransformer


class DiffusersTransformerOptions(
    Network,
    name="diffusers_transformer",
    title="diffusers' transformer",
    says="diffusers' DiTTransformer2DModel, weight by weight, for networks that were trained there",
    source="Peebles & Xie 2022, arXiv 2212.09748; https://huggingface.co/docs/diffusers/api/models/dit_transformer2d",
):
    """What is not said here is as in Peebles & Xie 2022, but for sizes. diffusers itself is not needed.

    >>> import torch
    >>> from fm.conditions import Label
    >>> options = DiffusersTransformerOptions(num_attention_heads=2, attention_head_dim=8, num_layers=1, classes=10)
    >>> network = options.build((3, 8, 8), {"label": Label(10)})
    >>> network(torch.zeros(2, 3, 8, 8), torch.rand(2), {"label": torch.tensor([3, 10])}).shape
    torch.Size([2, 3, 8, 8])
    """

    from_elsewhere: ClassVar[bool] = True
    num_attention_heads: int = option(4, least=1, most=1024, says="heads of attention")
    attention_head_dim: int = option(16, least=1, most=4096, says="numbers of each head")
    num_layers: int = option(4, least=1, most=1024, says="blocks")
    patch_size: int = option(2, least=1, most=512, says="side of the patches that become one token")
    attention_bias: bool = option(True, says="whether queries, keys and values have a bias")
    norm_eps: float = option(1e-5, above=0, most=0.1, says="added to the variance before the feed-forward part")
    dropout: float = option(0.0, least=0, below=1, says="share of what a block adds that is left out in training")
    classes: int = option(0, least=0, most=1_000_000, says="labels that it knows; 0: none")
    variances: bool = option(False, says="whether it predicts a variance too, which is left alone")
    timesteps: int = option(1000, least=2, most=100_000, says="its time at the noise: it counts down to 0")

    @property
    def width(self) -> int:
        """Numbers of a token."""
        return self.num_attention_heads * self.attention_head_dim

    def build(self, shape: Sequence[int], fields: Mapping[str, Spec], until: bool = False) -> DiffusersTransformer:
        from fm.networks.diffusers_layers import require_known  # which need PyTorch
        from fm.networks.diffusers_transformer_network import DiffusersTransformer

        require_known(self.name, shape, fields, until, self.classes, self.patch_size)
        if shape[1] != shape[2]:
            raise ValueError(f"network {self.name!r} is for square images, not {list(shape)}")
        return DiffusersTransformer(self, shape)
