"""diffusers' UNet2DModel: residual convolutions at ever coarser grids and back, with attention at some of them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.conditions import Condition
from fm.networks.diffusers_layers import Attention, TimestepEmbedding, label_of, timestep_of
from fm.networks.diffusers_unet import DiffusersUNetOptions


class DiffusersUNet(nn.Module):
    """Answers as UNet2DModel does of the same weights, at our times.

    >>> options = DiffusersUNetOptions(block_out_channels=(32,), classes=10)
    >>> network = DiffusersUNet(options, channels=1)
    >>> network(torch.zeros(2, 1, 8, 8), torch.rand(2), {"label": torch.tensor([3, 10])}).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, options: DiffusersUNetOptions, channels: int) -> None:
        super().__init__()
        self.options, self.channels = options, channels
        widths = options.block_out_channels
        self.embedded = 4 * widths[0]
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.time_embedding = TimestepEmbedding(widths[0], self.embedded, options.flip_sin_to_cos, options.freq_shift)
        self.class_embedding = nn.Embedding(options.classes + 1, self.embedded) if options.classes else None
        self.down_blocks = nn.ModuleList(self.downs())
        self.mid_block = self.middle(widths[-1])
        self.up_blocks = nn.ModuleList(self.ups())
        self.conv_norm_out = nn.GroupNorm(options.norm_num_groups, widths[0], options.norm_eps)
        self.conv_out = nn.Conv2d(widths[0], channels * (2 if options.variances else 1), 3, padding=1)

    def downs(self) -> "list[Level]":
        widths, levels = self.options.block_out_channels, []
        for number, (before, width) in enumerate(pairwise((widths[0], *widths))):
            inputs = [before] + [width] * (self.options.layers_per_block - 1)
            last = number == len(widths) - 1
            to_next = None if last else Halved(width, self.options.downsample_padding)
            levels.append(self.level(inputs, width, self.options.downs[number], down=to_next))
        return levels

    def ups(self) -> "list[Level]":
        """Each block sees one of the way down too, beside what comes from the block before."""
        widths, levels = self.options.block_out_channels[::-1], []
        for number, (before, width) in enumerate(pairwise((widths[0], *widths))):
            below = widths[min(number + 1, len(widths) - 1)]
            seen = [width] * self.options.layers_per_block + [below]
            inputs = [one + beside for one, beside in zip([before] + [width] * len(seen), seen, strict=False)]
            to_next = None if number == len(widths) - 1 else Doubled(width)
            levels.append(self.level(inputs, width, self.options.ups[number], up=to_next))
        return levels

    def level(
        self, inputs: list[int], width: int, attends: bool, down: nn.Module | None = None, up: nn.Module | None = None
    ) -> "Level":
        resnets = [Residual(self.options, one, width, self.embedded) for one in inputs]
        attentions = [self.attention(width, self.options.norm_num_groups) for _ in inputs] if attends else []
        return Level(resnets, attentions, down, up)

    def middle(self, width: int) -> "Level":
        scale, groups = self.options.mid_block_scale_factor, self.options.mid_norm_groups
        if groups is None and self.options.time_scale_shift == "default":
            groups = self.options.norm_num_groups
        resnets = [Residual(self.options, width, width, self.embedded, scale) for _ in range(2)]
        return Level(resnets, [self.attention(width, groups, scale)] if self.options.mid_attention else [])

    def attention(self, width: int, groups: int | None, scale: float = 1.0) -> "GridAttention":
        return GridAttention(
            width, width // (self.options.attention_head_dim or width), groups, self.options.norm_eps, scale
        )

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        """x (B, C, H, W), t (B,); a condition is looked at where it knows labels."""
        if until is not None:
            raise ValueError("this network cannot be told where a step ends")
        embedding = self.time_embedding(timestep_of(t, self.options.timesteps))
        if self.class_embedding is not None:
            embedding = embedding + self.class_embedding(label_of(condition, t, self.options.classes))
        embedding = F.silu(embedding)
        h = self.conv_in(2 * x - 1 if self.options.center_input_sample else x)
        seen = [h]
        for level in levels(self.down_blocks):
            seen += level.down(seen[-1], embedding)
        h = self.mid_block.middle(seen[-1], embedding)
        for level in levels(self.up_blocks):
            h = level.up(h, seen, embedding)
        made: Tensor = self.conv_out(F.silu(self.conv_norm_out(h)))
        return made[:, : self.channels]


def levels(blocks: nn.ModuleList) -> "Iterator[Level]":
    return (cast(Level, block) for block in blocks)


class Level(nn.Module):
    """Blocks on one grid, each with attention behind it where there is one, and the way to the next grid.

    >>> options = DiffusersUNetOptions(block_out_channels=(32,))
    >>> level = Level([Residual(options, 32, 64, 8)], [GridAttention(64, 8, 32, 1e-5, 1.0)])
    >>> level.block(0, torch.zeros(2, 32, 4, 4), torch.zeros(2, 8)).shape
    torch.Size([2, 64, 4, 4])
    """

    def __init__(
        self,
        resnets: "list[Residual]",
        attentions: "list[GridAttention]",
        down: nn.Module | None = None,
        up: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList(attentions)
        self.downsamplers = None if down is None else nn.ModuleList([down])
        self.upsamplers = None if up is None else nn.ModuleList([up])

    def down(self, h: Tensor, embedding: Tensor) -> list[Tensor]:
        """What each block makes of h (B, C, H, W), and the next grid's beginning."""
        made = []
        for index in range(len(self.resnets)):
            h = self.block(index, h, embedding)
            made.append(h)
        return made + [to_next(h) for to_next in self.downsamplers or ()]

    def middle(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Attention between two blocks."""
        made: Tensor = self.resnets[1](self.block(0, h, embedding), embedding)
        return made

    def up(self, h: Tensor, seen: list[Tensor], embedding: Tensor) -> Tensor:
        """With what was made on the way down, of which each block takes the last."""
        for index in range(len(self.resnets)):
            h = self.block(index, torch.cat([h, seen.pop()], dim=1), embedding)
        for to_next in self.upsamplers or ():
            h = to_next(h)
        return h

    def block(self, index: int, h: Tensor, embedding: Tensor) -> Tensor:
        made: Tensor = self.resnets[index](h, embedding)
        if index < len(self.attentions):
            made = self.attentions[index](made)
        return made


class Residual(nn.Module):
    """Two convolutions that know the time, beside a way past them.

    >>> Residual(DiffusersUNetOptions(), 32, 64, embedded=8)(torch.zeros(2, 32, 4, 4), torch.zeros(2, 8)).shape
    torch.Size([2, 64, 4, 4])
    """

    def __init__(
        self, options: DiffusersUNetOptions, before: int, width: int, embedded: int, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.scale, self.shifts = scale, options.time_scale_shift == "default"
        self.norm1 = nn.GroupNorm(options.norm_num_groups, before, options.norm_eps)
        self.conv1 = nn.Conv2d(before, width, 3, padding=1)
        self.time_emb_proj = nn.Linear(embedded, width if self.shifts else 2 * width)
        self.norm2 = nn.GroupNorm(options.norm_num_groups, width, options.norm_eps)
        self.dropout = nn.Dropout(options.dropout)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(before, width, 1) if before != width else None

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        told = self.time_emb_proj(embedding)[:, :, None, None]
        h = self.conv1(F.silu(self.norm1(x)))
        if self.shifts:
            h = self.norm2(h + told)
        else:
            scale, shift = told.chunk(2, dim=1)
            h = self.norm2(h) * (1 + scale) + shift
        h = self.conv2(self.dropout(F.silu(h)))
        past = x if self.conv_shortcut is None else self.conv_shortcut(x)
        made: Tensor = (past + h) / self.scale
        return made


class GridAttention(Attention):
    """Every point of a grid looks at all of them, beside a way past.

    >>> GridAttention(64, heads=8, groups=32, eps=1e-5, scale=1.0)(torch.zeros(2, 64, 4, 4)).shape
    torch.Size([2, 64, 4, 4])
    """

    def __init__(self, width: int, heads: int, groups: int | None, eps: float, scale: float) -> None:
        super().__init__(width, heads)
        self.scale = scale
        self.group_norm = None if groups is None else nn.GroupNorm(groups, width, eps)

    def forward(self, x: Tensor) -> Tensor:
        h = x if self.group_norm is None else self.group_norm(x)
        h = super().forward(h.flatten(2).transpose(1, 2))
        return (h.transpose(1, 2).reshape(x.shape) + x) / self.scale


class Halved(nn.Module):
    """A grid of half the sides.

    >>> Halved(8, padding=0)(torch.zeros(1, 8, 6, 6)).shape
    torch.Size([1, 8, 3, 3])
    """

    def __init__(self, width: int, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv(x if self.padding else F.pad(x, (0, 1, 0, 1)))
        return made


class Doubled(nn.Module):
    """A grid of twice the sides.

    >>> Doubled(8)(torch.zeros(1, 8, 3, 3)).shape
    torch.Size([1, 8, 6, 6])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return made
