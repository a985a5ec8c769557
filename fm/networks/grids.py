"""Cutting a grid of any number of axes into patches, and saying where each of them lies."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from fm.networks.network import Padding

Sides = int | Sequence[int]
"""Of a patch: one for all axes, or one for each."""


def sides_of(patch_size: Sides, axes: int) -> tuple[int, ...]:
    """The side of a patch along each axis. Raises ValueError for as many sides as there are no axes.

    >>> sides_of(2, axes=3), sides_of([1, 2, 2], axes=3)
    ((2, 2, 2), (1, 2, 2))
    """
    if isinstance(patch_size, int):
        return (patch_size,) * axes
    if len(patch_size) != axes:
        raise ValueError(
            f"patch_size {list(patch_size)} is for data along {len(patch_size)} axes, and these have {axes}"
        )
    return tuple(patch_size)


def wraps(axes: int, padding: Padding) -> tuple[bool, ...]:
    """Along which axes data go on at the other side; the first is time where only space does.

    >>> wraps(3, "circular_space")
    (False, True, True)
    """
    return tuple(padding == "circular" or (padding == "circular_space" and axis > 0) for axis in range(axes))


def grid_of(shape: Sequence[int], patch_size: Sides) -> tuple[int, ...]:
    """How many patches lie along each axis of `shape` (C, *spatial). Raises ValueError where they do not fit."""
    sides = sides_of(patch_size, len(shape) - 1)
    for size, side in zip(shape[1:], sides, strict=True):
        if size % side:
            raise ValueError(f"{size} of the shape {tuple(shape)} is not a multiple of patch_size {side}")
    return tuple(size // side for size, side in zip(shape[1:], sides, strict=True))


def space_to_depth(x: Tensor, patch_size: Sides) -> Tensor:
    """(B, C, *spatial) -> (B, C * numbers of a patch, *grid): each patch's values become channels of one point."""
    if x.ndim == 4 and isinstance(patch_size, int):
        return F.pixel_unshuffle(x, patch_size)  # the same, in x's own memory format
    return cut(x, patch_size)


def depth_to_space(h: Tensor, patch_size: Sides) -> Tensor:
    """The reverse of space_to_depth."""
    if h.ndim == 4 and isinstance(patch_size, int):
        return F.pixel_shuffle(h, patch_size)
    return joined(h, patch_size)


def cut(x: Tensor, patch_size: Sides) -> Tensor:
    """space_to_depth along any number of axes. The channels are in the order of F.pixel_unshuffle's: the datum's
    channel first, then the place in the patch, axis by axis."""
    axes = x.ndim - 2
    patch = sides_of(patch_size, axes)
    sides = [side for size, of in zip(x.shape[2:], patch, strict=True) for side in (size // of, of)]
    split = x.reshape(*x.shape[:2], *sides)
    order = [0, 1, *range(3, 3 + 2 * axes, 2), *range(2, 2 + 2 * axes, 2)]
    return split.permute(order).flatten(1, 1 + axes)


def joined(h: Tensor, patch_size: Sides) -> Tensor:
    """depth_to_space along any number of axes."""
    axes = h.ndim - 2
    patch = sides_of(patch_size, axes)
    split = h.reshape(len(h), -1, *patch, *h.shape[2:])
    order = [0, 1, *(axis for place in range(axes) for axis in (2 + axes + place, 2 + place))]
    sizes = [size * side for size, side in zip(h.shape[2:], patch, strict=True)]
    return split.permute(order).reshape(len(h), -1, *sizes)


def sine_cosine_positions(grid: Sequence[int], width: int, padding: Padding = "zeros") -> Tensor:
    """Fixed positions (points of the grid, width): of every axis an equal share of the numbers, zeros where the width
    cannot be shared out. Along an axis that goes on at the other side they do too.

    Example:
        >>> sine_cosine_positions((7, 7), 16).shape
        torch.Size([49, 16])
    """
    count = width // (2 * max(len(grid), 1))
    with torch.device("cpu"):  # as fm.networks.layers.TimeEmbedding has it
        frequencies = 10_000.0 ** -(torch.arange(count) / count)
        positions = torch.zeros(*grid, width)
        for axis, (size, wrapped) in enumerate(zip(grid, wraps(len(grid), padding), strict=True)):
            angles = torch.arange(size)[:, None] * (whole_turns(size, count) if wrapped else frequencies)
            line = torch.cat([angles.sin(), angles.cos()], dim=1)
            along = line.reshape(-1, *[1] * (len(grid) - 1 - axis), 2 * count)
            positions[..., 2 * count * axis : 2 * count * (axis + 1)] = along
    return positions.reshape(-1, width).to(torch.get_default_device())


def rotary_angles(grid: Sequence[int], width: int, padding: Padding = "zeros") -> Tensor:
    """By how much each pair of a head's `width` numbers is turned at each point of a grid, in radians (points, pairs):
    of every axis an equal share, from 1 a step down to 1/100 (Heo et al. 2024, arXiv 2403.13298, section 3.2); along an
    axis that goes on at the other side, whole turns around the grid. On the CPU, whatever the default.

    Raises:
        ValueError: a head has too few numbers for as many axes.

    >>> rotary_angles((2, 3), 8)[-1]
    tensor([1.0000, 0.1000, 2.0000, 0.2000])
    """
    count = width // (2 * max(len(grid), 1))
    if count == 0:
        raise ValueError(f"rotary positions along {len(grid)} axes need heads of {2 * len(grid)} numbers, not {width}")
    with torch.device("cpu"):  # as fm.networks.layers.TimeEmbedding has it
        frequencies = 100.0 ** -(torch.arange(count) / count)
        angles = torch.zeros(*grid, len(grid), count)
        for axis, (size, wrapped) in enumerate(zip(grid, wraps(len(grid), padding), strict=True)):
            along = torch.arange(size)[:, None] * (whole_turns(size, count) if wrapped else frequencies)
            angles[..., axis, :] = along.reshape(-1, *[1] * (len(grid) - 1 - axis), count)
    return angles.reshape(-1, len(grid) * count) if grid else angles.reshape(1, 0)


def whole_turns(size: int, count: int) -> Tensor:
    """Frequencies in radians a step, float32 (count,): 1, 2, 3, … turns around an axis of `size` points, and from 1
    again where more would look like fewer.

    >>> whole_turns(4, 3) * 4 / math.tau
    tensor([1., 2., 1.])
    """
    return math.tau / size * (1 + torch.arange(count) % max(size // 2, 1))
