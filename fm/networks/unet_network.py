"""A UNet (Ho et al. 2020, arXiv 2006.11239, appendix B; Dhariwal & Nichol 2021) along one, two or three axes.

It differs from the original in one thing that makes it trainable on two CPU cores: the data are first cut into patches
of `patch_size` along every axis (space to depth), so that most of the arithmetic happens at a coarser grid and in wider
channels.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.conditions import Condition, Spec
from fm.networks.conditioned import Conditioned
from fm.networks.grids import depth_to_space, grid_of, sides_of, space_to_depth
from fm.networks.layers import AlongFirst, Attention, Skip, Tokens, dropped_out, for_slices, zero_init
from fm.networks.network import Padding
from fm.networks.unet import UNetOptions

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
CONVOLUTIONS: dict[int, type[Convolution]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
Convolve = Callable[..., Convolution]
"""Makes a convolution, called as its class is."""


class UNet(Conditioned):
    """network(x, t, condition, until=None) -> tensor like x.

    Args:
        options: sizes.
        shape: (C, *spatial) of the data; every side a multiple of patch_size.
        fields: what the condition consists of.
        until: whether the network is told a second time.

    Raises:
        ValueError: sizes that do not fit together.

    >>> UNet(UNetOptions(width=8), (1, 8, 8), {})(torch.zeros(2, 1, 8, 8), torch.zeros(2), {}).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self, options: UNetOptions, shape: Sequence[int], fields: Mapping[str, Spec], until: bool = False
    ) -> None:
        axes = len(shape) - 1
        if axes not in CONVOLUTIONS:
            raise ValueError(f"a unet is for data along 1, 2 or 3 axes, not of shape {tuple(shape)}")
        if options.factorised and axes == 1:
            raise ValueError(f"factorised attention is for data along 2 or 3 axes, not of shape {tuple(shape)}")
        grids = levels(grid_of(shape, options.patch_size), len(options.multipliers))
        if missing := set(options.attention) - {max(grid) for grid in grids}:
            there = ", ".join(str(max(grid)) for grid in grids)
            raise ValueError(f"attention {min(missing)}: this network's grids have the sides {there}")
        super().__init__(4 * options.width, fields, until, options.time_frequency)
        self.patch_size = options.patch_size
        self.grid = grids[0]
        self.factorised = options.factorised
        width, embedding, patch = options.width, 4 * options.width, prod(sides_of(options.patch_size, axes))
        convolution = convolution_along(axes, options.padding)

        def block(inputs: int, outputs: int, attends: bool, frames: int) -> ResidualBlock:
            attention: GridAttention | None = None
            if attends and options.factorised:
                attention = FactorisedAttention(outputs, options.heads, self.token_width, frames, options.padding)
            elif attends:
                attention = GridAttention(outputs, options.heads, self.token_width)
            return ResidualBlock(convolution, inputs, outputs, embedding, options.dropout, attention)

        self.first = convolution((shape[0] + self.map_channels) * patch, width, 3, padding=1)
        widths = [width * multiplier for multiplier in options.multipliers]
        attended = [max(grid) in options.attention for grid in grids]
        self.down = nn.ModuleList()
        skips = [width]
        current = width
        for level, level_width in enumerate(widths):
            if level:
                self.down.append(Downsample(convolution, current))
                skips.append(current)
            for _ in range(options.blocks):
                self.down.append(block(current, level_width, attended[level], grids[level][0]))
                current = level_width
                skips.append(current)
        in_the_middle = bool(options.attention) or self.token_width is not None
        self.middle = block(current, current, in_the_middle, grids[-1][0])
        self.up = nn.ModuleList()
        for level, level_width in reversed(list(enumerate(widths))):
            for _ in range(options.blocks + 1):
                self.up.append(block(current + skips.pop(), level_width, attended[level], grids[level][0]))
                current = level_width
            if level:
                self.up.append(Upsample(convolution, current))
        self.last_norm = nn.GroupNorm(8, current)
        self.last = zero_init(convolution(current, shape[0] * patch, 3, padding=1))
        self.skip = Skip(embedding, shape[0]) if options.skip else None

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        """x (B, C, *spatial) float; t (B,) in [0, 1]; until (B,), for networks that are told it."""
        embedding, tokens = self.embedded(t, condition, until)
        h = self.first(space_to_depth(self.with_maps(x, condition), self.patch_size))
        skips = [h]
        for layer in self.down:
            h = layer(h) if isinstance(layer, Downsample) else self.through(layer, h, embedding, tokens)
            skips.append(h)
        h = self.through(self.middle, h, embedding, tokens)
        for layer in self.up:
            if isinstance(layer, Upsample):
                h = layer(h, skips[-1].shape[2:])
            else:
                h = self.through(layer, torch.cat([h, skips.pop()], dim=1), embedding, tokens)
        said = depth_to_space(self.last(F.silu(self.last_norm(h))), self.patch_size)
        return said if self.skip is None else said + self.skip(x, embedding)


class ResidualBlock(nn.Module):
    """Two convolutions of side 3; time and condition scale and shift the second norm (Dhariwal & Nichol 2021).

    >>> ResidualBlock(nn.Conv2d, 8, 16, embedding=32)(torch.zeros(2, 8, 4, 4), torch.zeros(2, 32), None).shape
    torch.Size([2, 16, 4, 4])
    """

    def __init__(
        self,
        convolution: Convolve,
        inputs: int,
        outputs: int,
        embedding: int,
        dropout: float = 0.0,
        attention: "GridAttention | None" = None,
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, inputs)
        self.conv1 = convolution(inputs, outputs, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.norm2 = nn.GroupNorm(8, outputs)
        self.dropout = dropout
        self.conv2 = zero_init(convolution(outputs, outputs, 3, padding=1))
        self.skip = convolution(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.attention = attention

    def forward(self, x: Tensor, embedding: Tensor, tokens: Tokens | None) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.modulation(embedding).reshape(len(h), -1, *[1] * (h.ndim - 2)).chunk(2, dim=1)
        h = F.silu(self.norm2(h) * (1 + scale) + shift)
        h = self.conv2(dropped_out(h, self, self.dropout))
        out: Tensor = self.skip(x) + h
        return out if self.attention is None else self.attention(out, tokens)


class GridAttention(Attention):
    """Attention among the points of a grid, added to what they are; starts at zero.

    >>> GridAttention(8, heads=1, token_width=None)(torch.zeros(2, 8, 4, 4), None).shape
    torch.Size([2, 8, 4, 4])
    """

    def __init__(self, width: int, heads: int, token_width: int | None) -> None:
        super().__init__(width, heads, token_width)
        self.norm = nn.GroupNorm(8, width)
        zero_init(self.mix)

    def forward(self, x: Tensor, tokens: Tokens | None) -> Tensor:
        """x (B, width, *grid) -> like x."""
        points = self.norm(x).flatten(2).transpose(1, 2)
        return x + self.attend(points, tokens).transpose(1, 2).reshape(x.shape)


class FactorisedAttention(GridAttention):
    """Attention among the points of each slice of the first axis, and then along that axis at each of these points.

    Weights are called as those of attention within one slice, and those of the second part `along.<name>`.

    >>> FactorisedAttention(8, 1, None, length=3)(torch.zeros(2, 8, 3, 4, 4), None).shape
    torch.Size([2, 8, 3, 4, 4])
    """

    def __init__(
        self, width: int, heads: int, token_width: int | None, length: int, padding: Padding = "zeros"
    ) -> None:
        super().__init__(width, heads, token_width)
        self.along = AlongFirst(width, heads, length, padding=padding)

    def forward(self, x: Tensor, tokens: Tokens | None) -> Tensor:
        """x (B, width, length, *others) -> like x."""
        count, length = len(x), x.shape[2]
        slices = super().forward(x.transpose(1, 2).flatten(0, 1), for_slices(tokens, length))
        points = slices.reshape(count, length, x.shape[1], -1).transpose(2, 3)
        out: Tensor = self.along(points)
        return out.permute(0, 3, 1, 2).reshape(x.shape)


class Downsample(nn.Module):
    """Halves the grid, odd sizes rounded up.

    >>> Downsample(nn.Conv2d, 8)(torch.zeros(2, 8, 5, 4)).shape
    torch.Size([2, 8, 3, 2])
    """

    def __init__(self, convolution: Convolve, width: int) -> None:
        super().__init__()
        self.conv = convolution(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class Upsample(nn.Module):
    """Brings the grid to the size of the skip connection that comes next.

    >>> Upsample(nn.Conv1d, 8)(torch.zeros(2, 8, 3), torch.Size([5])).shape
    torch.Size([2, 8, 5])
    """

    def __init__(self, convolution: Convolve, width: int) -> None:
        super().__init__()
        self.conv = convolution(width, width, 3, padding=1)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        out: Tensor = self.conv(F.interpolate(x, size=size, mode="nearest"))
        return out


def convolution_along(axes: int, padding: Padding) -> Convolve:
    """Makes convolutions along so many axes, beyond whose edges is what is asked for.

    >>> convolution_along(2, "circular")(1, 1, 3, padding=1).padding_mode
    'circular'
    """
    if padding == "zeros" or (padding == "circular_space" and axes == 1):
        return CONVOLUTIONS[axes]
    if padding == "circular":
        return partial(CONVOLUTIONS[axes], padding_mode="circular")
    return CircularInSpace2d if axes == 2 else CircularInSpace3d


class CircularInSpace2d(nn.Conv2d):
    """A convolution that is circular along the last axis; beyond the ends of the first, time, are zeros.

    >>> CircularInSpace2d(1, 1, 3, padding=1)(torch.zeros(1, 1, 4, 8)).shape
    torch.Size([1, 1, 4, 8])
    """

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__(inputs, outputs, side, stride, (0, padding), padding_mode="circular")
        self.ends = padding

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 0, self.ends, self.ends)))


class CircularInSpace3d(nn.Conv3d):
    """The same along the last two of three axes.

    >>> CircularInSpace3d(1, 1, 3, padding=1)(torch.zeros(1, 1, 4, 8, 8)).shape
    torch.Size([1, 1, 4, 8, 8])
    """

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__(inputs, outputs, side, stride, (0, padding, padding), padding_mode="circular")
        self.ends = padding

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 0, 0, 0, self.ends, self.ends)))


def levels(grid: tuple[int, ...], count: int) -> list[tuple[int, ...]]:
    """The grid of each level."""
    grids = [grid]
    for _ in range(count - 1):
        grids.append(tuple((side + 1) // 2 for side in grids[-1]))
    return grids
