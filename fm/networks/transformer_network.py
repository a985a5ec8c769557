"""A diffusion transformer (Peebles & Xie 2022, arXiv 2212.09748, adaLN-zero) on patches along any number of axes."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from fm.conditions import Condition, Spec
from fm.networks.conditioned import Conditioned
from fm.networks.grids import depth_to_space, grid_of, sine_cosine_positions, space_to_depth
from fm.networks.layers import Attention, Tokens, dropped_out, zero_init
from fm.networks.transformer import TransformerOptions


class Transformer(Conditioned):
    """network(x, t, condition, until=None) -> tensor like x.

    Args:
        options: sizes.
        shape: (C, *spatial) of the data; every side a multiple of patch_size.
        fields: what the condition consists of.
        until: whether the network is told a second time.

    Raises:
        ValueError: sizes that do not fit together.

    >>> import torch
    >>> Transformer(TransformerOptions(width=16), (1, 8, 8), {})(torch.zeros(2, 1, 8, 8), torch.zeros(2), {}).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self, options: TransformerOptions, shape: Sequence[int], fields: Mapping[str, Spec], until: bool = False
    ) -> None:
        width, patch = options.width, options.patch_size ** (len(shape) - 1)
        super().__init__(width, fields, until, options.time_frequency)
        self.patch_size = options.patch_size
        self.grid = grid_of(shape, options.patch_size)
        self.first = nn.Linear((shape[0] + self.map_channels) * patch, width)
        self.positions: Tensor
        self.register_buffer("positions", sine_cosine_positions(self.grid, width), persistent=False)
        self.blocks = nn.ModuleList(
            Block(width, options.heads, self.token_width, options.dropout) for _ in range(options.blocks)
        )
        self.last_norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.last_modulation = nn.Linear(width, 2 * width)
        self.last = nn.Linear(width, shape[0] * patch)
        self._initialise()

    def _initialise(self) -> None:
        """As in the paper, but for time and label, whose embeddings it draws from N(0, 0.02^2): so near to zero
        they take tens of thousands of steps to matter, which small budgets do not have."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for block in self.blocks:
            assert isinstance(block, Block)
            zero_init(block.modulation)
        zero_init(self.last_modulation)
        zero_init(self.last)

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        """x (B, C, *spatial) float; t (B,) float; until (B,), for networks that are told it."""
        embedding, tokens = self.embedded(t, condition, until)
        seen = space_to_depth(self.with_maps(x, condition), self.patch_size)
        h = self.first(seen.reshape(*seen.shape[:2], -1).transpose(1, 2)) + self.positions.to(x.dtype)
        for block in self.blocks:
            h = self.through(block, h, embedding, tokens)
        shift, scale = self.last_modulation(embedding)[:, None].chunk(2, dim=-1)
        patches = self.last(self.last_norm(h) * (1 + scale) + shift)
        return depth_to_space(patches.transpose(1, 2).reshape(len(x), -1, *self.grid), self.patch_size)


class Block(Attention):
    """Attention and a perceptron, each shifted, scaled and gated by time and condition; the gates start at zero.

    >>> import torch
    >>> Block(16, heads=2)(torch.zeros(3, 5, 16), torch.zeros(3, 16)).shape
    torch.Size([3, 5, 16])
    """

    def __init__(self, width: int, heads: int, token_width: int | None = None, dropout: float = 0.0) -> None:
        super().__init__(width, heads, token_width)
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.modulation = nn.Linear(width, 6 * width)
        self.dropout = dropout

    def forward(self, h: Tensor, embedding: Tensor, tokens: Tokens | None = None) -> Tensor:
        """h (B, patches, width); embedding (B, width)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(embedding)[:, None].chunk(6, dim=-1)
        attended = self.attend(self.norm1(h) * (1 + scale1) + shift1, tokens)
        h = h + gate1 * dropped_out(attended, self, self.dropout)
        wide = F.gelu(self.widen(self.norm2(h) * (1 + scale2) + shift2), approximate="tanh")
        out: Tensor = h + gate2 * dropped_out(self.narrow(wide), self, self.dropout)
        return out
