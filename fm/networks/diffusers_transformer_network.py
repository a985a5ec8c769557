"""diffusers' DiTTransformer2DModel: attention among patches, shifted and scaled by time and label."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.conditions import Condition
from fm.networks.diffusers_layers import Attention, TimestepEmbedding, label_of, timestep_of
from fm.networks.diffusers_transformer import DiffusersTransformerOptions
from fm.networks.grids import depth_to_space

FREQUENCIES = 256
SQUASHED = 1e-6
"""Added to the variance, but before the feed-forward part, which has its own (norm_eps)."""


class DiffusersTransformer(nn.Module):
    """Answers as DiTTransformer2DModel does of the same weights, at our times.

    Its own dropping of labels, in training, is left out: batches have "no label" already (train.label_dropout).

    >>> options = DiffusersTransformerOptions(num_attention_heads=2, attention_head_dim=8, num_layers=1, classes=10)
    >>> network = DiffusersTransformer(options, (1, 8, 8))
    >>> network(torch.zeros(2, 1, 8, 8), torch.rand(2), {"label": torch.tensor([3, 10])}).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, options: DiffusersTransformerOptions, shape: Sequence[int]) -> None:
        super().__init__()
        self.options, self.channels = options, shape[0]
        width, patch = options.width, options.patch_size
        self.pos_embed = Patches(shape, width, patch)
        self.transformer_blocks = nn.ModuleList(Block(options) for _ in range(options.num_layers))
        self.norm_out = nn.LayerNorm(width, elementwise_affine=False, eps=SQUASHED)
        self.proj_out_1 = nn.Linear(width, 2 * width)
        self.proj_out_2 = nn.Linear(width, patch**2 * self.channels * (2 if options.variances else 1))

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        """x (B, C, H, H), t (B,), labels in the condition."""
        if until is not None:
            raise ValueError("this network cannot be told where a step ends")
        timestep, label = timestep_of(t, self.options.timesteps), label_of(condition, t, self.options.classes)
        h = self.pos_embed(x)
        for block in self.transformer_blocks:
            h = block(h, timestep, label)
        first = cast(Block, self.transformer_blocks[0])
        told = first.norm1.emb(timestep, label)  # diffusers keeps no embedding of its own here
        shift, scale = self.proj_out_1(F.silu(told))[:, None].chunk(2, dim=2)
        h = self.proj_out_2(self.norm_out(h) * (1 + scale) + shift)
        return self.as_image(h, x)[:, : self.channels]

    def as_image(self, h: Tensor, x: Tensor) -> Tensor:
        """The tokens' numbers, which have the channel last, on the grid of x."""
        patch = self.options.patch_size
        side = x.shape[-1] // patch
        channels = h.shape[-1] // patch**2
        by_channel = h.reshape(*h.shape[:2], patch**2, channels).transpose(2, 3).flatten(2)
        return depth_to_space(by_channel.transpose(1, 2).reshape(len(h), -1, side, side), patch)


class Patches(nn.Module):
    """Images as tokens with their places.

    >>> Patches((3, 8, 8), width=16, patch=2)(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 16, 16])
    """

    pos_embed: Tensor

    def __init__(self, shape: Sequence[int], width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(shape[0], width, patch, stride=patch)
        self.register_buffer("pos_embed", places(shape[1] // patch, width)[None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return tokens + self.pos_embed.to(tokens.dtype)


def places(side: int, width: int) -> Tensor:
    """Sines and cosines of each point's place along the rows, then of that along the columns: (side * side, width).

    >>> places(2, 4)[1]  # one to the right
    tensor([0.8415, 0.5403, 0.0000, 1.0000])
    """
    with torch.device("cpu"):
        frequencies = 10_000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
        angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies
        line = torch.cat([angles.sin(), angles.cos()], dim=1).float()
        across = line.repeat(side, 1)
        down = line.repeat_interleave(side, dim=0)
    return torch.cat([across, down], dim=1).to(torch.get_default_device())


class Block(nn.Module):
    """Attention and a feed-forward part, each added as far as time and label let it.

    >>> options = DiffusersTransformerOptions(num_attention_heads=2, attention_head_dim=8, classes=10)
    >>> Block(options)(torch.zeros(2, 5, 16), torch.zeros(2), torch.tensor([3, 10])).shape
    torch.Size([2, 5, 16])
    """

    def __init__(self, options: DiffusersTransformerOptions) -> None:
        super().__init__()
        width = options.width
        self.norm1 = Adapted(width, options.classes)
        self.attn1 = Attention(width, options.num_attention_heads, options.attention_bias)
        self.norm3 = nn.LayerNorm(width, elementwise_affine=False, eps=options.norm_eps)
        self.ff = FeedForward(width, options.dropout)
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, h: Tensor, timestep: Tensor, label: Tensor) -> Tensor:
        """h (B, tokens, width), timestep and label (B,)."""
        shift, scale, gate, shift_after, scale_after, gate_after = self.norm1(timestep, label)
        seen = self.norm1.norm(h) * (1 + scale) + shift
        h = h + gate * self.dropout(self.attn1(seen))
        seen = self.norm3(h) * (1 + scale_after) + shift_after
        made: Tensor = h + gate_after * self.ff(seen)
        return made


class Adapted(nn.Module):
    """What time and label make of a block: shift, scale and gate of each of its two parts, (B, 1, width).

    >>> [one.shape for one in Adapted(16, classes=10)(torch.zeros(2), torch.tensor([3, 10]))][:1]
    [torch.Size([2, 1, 16])]
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.emb = Embedding(width, classes)
        self.linear = nn.Linear(width, 6 * width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=SQUASHED)

    def forward(self, timestep: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        return self.linear(F.silu(self.emb(timestep, label)))[:, None].chunk(6, dim=2)  # type: ignore[no-any-return]


class Embedding(nn.Module):
    """Of time and label, added up: (B, width).

    >>> Embedding(16, classes=10)(torch.zeros(2), torch.tensor([3, 10])).shape
    torch.Size([2, 16])
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.timestep_embedder = TimestepEmbedding(FREQUENCIES, width, flip=True, shift=1.0)
        self.class_embedder = nn.ModuleDict({"embedding_table": nn.Embedding(classes + 1, width)})

    def forward(self, timestep: Tensor, label: Tensor) -> Tensor:
        made: Tensor = self.timestep_embedder(timestep) + self.class_embedder["embedding_table"](label)
        return made


class FeedForward(nn.Module):
    """Two linear layers with a GELU, by its tanh formula, between them.

    >>> FeedForward(16, dropout=0.0)(torch.zeros(2, 5, 16)).shape
    torch.Size([2, 5, 16])
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.net = nn.ModuleList([nn.ModuleDict({"proj": nn.Linear(width, 4 * width)}), nn.Dropout(dropout)])
        self.net.append(nn.Linear(4 * width, width))

    def forward(self, h: Tensor) -> Tensor:
        first, dropout, last = self.net
        made: Tensor = last(dropout(F.gelu(first["proj"](h), approximate="tanh")))  # type: ignore[index]
        return made
