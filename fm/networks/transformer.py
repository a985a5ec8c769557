"""A class-conditional diffusion transformer (Peebles & Xie 2022, arXiv 2212.09748, adaLN-zero)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.conditions import Condition
from fm.networks.layers import TimeEmbedding, zero_init


class Transformer(nn.Module):
    """network(x, t, condition, until=None) -> tensor like x.

    Args:
        channels: channels of the image.
        image_size: its side in pixels, a multiple of patch_size.
        num_classes: number of labels; the label `num_classes` itself means "no label".
        width: numbers that describe a patch, a multiple of 4 and of heads.
        blocks: transformer blocks.
        heads: attention heads.
        patch_size: side of the pixel blocks that become one token.

    Raises:
        ValueError: sizes that do not fit together.
    """

    def __init__(
        self,
        channels: int,
        image_size: int,
        num_classes: int,
        width: int = 64,
        blocks: int = 4,
        heads: int = 4,
        patch_size: int = 2,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f"image_size {image_size} is not a multiple of patch_size {patch_size}")
        if width % 4 or width % heads:
            raise ValueError(f"width {width} is not a multiple of 4 and of heads {heads}")
        self.num_classes = num_classes
        self.patch_size = patch_size
        self.grid = image_size // patch_size
        self.embed_time = TimeEmbedding(width)
        self.embed_label = nn.Embedding(num_classes + 1, width)
        self.first = nn.Linear(channels * patch_size**2, width)
        self.positions: Tensor
        self.register_buffer("positions", sine_cosine_positions(self.grid, width), persistent=False)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.last_norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.last_modulation = nn.Linear(width, 2 * width)
        self.last = nn.Linear(width, channels * patch_size**2)
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
        """x (B, C, H, W) float; t (B,) float; of the condition `label` (B,) int64 in [0, num_classes]."""
        embedding = F.silu(self.embed_time(t) + self.embed_label(condition["label"]))
        patches = F.pixel_unshuffle(x, self.patch_size).flatten(2).transpose(1, 2)
        h = self.first(patches) + self.positions.to(x.dtype)
        for block in self.blocks:
            h = block(h, embedding)
        shift, scale = self.last_modulation(embedding)[:, None].chunk(2, dim=-1)
        patches = self.last(self.last_norm(h) * (1 + scale) + shift)
        grid = patches.transpose(1, 2).unflatten(2, (self.grid, self.grid))
        return F.pixel_shuffle(grid, self.patch_size)


class Block(nn.Module):
    """Attention and a perceptron, each shifted, scaled and gated by time and label; the gates start at zero."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """h (B, tokens, width); embedding (B, width)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(embedding)[:, None].chunk(6, dim=-1)
        h = h + gate1 * self._attend(self.norm1(h) * (1 + scale1) + shift1)
        wide = F.gelu(self.widen(self.norm2(h) * (1 + scale2) + shift2), approximate="tanh")
        out: Tensor = h + gate2 * self.narrow(wide)
        return out

    def _attend(self, h: Tensor) -> Tensor:
        split = self.queries_keys_values(h).unflatten(2, (3, self.heads, -1))
        queries, keys, values = split.permute(2, 0, 3, 1, 4)  # each (B, heads, tokens, width / heads)
        attended = F.scaled_dot_product_attention(queries, keys, values)
        mixed: Tensor = self.mix(attended.transpose(1, 2).flatten(2))
        return mixed


def sine_cosine_positions(grid: int, width: int) -> Tensor:
    """Fixed positions (grid * grid, width): half of the numbers for the row, half for the column."""
    frequencies = 10_000.0 ** -(torch.arange(width // 4) / (width // 4))
    angles = torch.arange(grid)[:, None] * frequencies
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows = line[:, None].expand(grid, grid, -1)
    columns = line[None].expand(grid, grid, -1)
    return torch.cat([rows, columns], dim=2).flatten(0, 1)
