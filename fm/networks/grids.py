"""Cutting a grid of any number of axes into patches, and saying where each of them lies."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def grid_of(shape: Sequence[int], patch_size: int) -> tuple[int, ...]:
    """How many patches lie along each axis of `shape` (C, *spatial). Raises ValueError where they do not fit."""
    for size in shape[1:]:
        if size % patch_size:
            raise ValueError(f"{size} of the shape {tuple(shape)} is not a multiple of patch_size {patch_size}")
    return tuple(size // patch_size for size in shape[1:])


def space_to_depth(x: Tensor, patch_size: int) -> Tensor:
    """(B, C, *spatial) -> (B, C * patch_size^axes, *grid): each patch's values become channels of one point."""
    if x.ndim == 4:
        return F.pixel_unshuffle(x, patch_size)  # the same, in x's own memory format
    return cut(x, patch_size)


def depth_to_space(h: Tensor, patch_size: int) -> Tensor:
    """The reverse of space_to_depth."""
    if h.ndim == 4:
        return F.pixel_shuffle(h, patch_size)
    return joined(h, patch_size)


def cut(x: Tensor, patch_size: int) -> Tensor:
    """space_to_depth along any number of axes. The channels are in the order of F.pixel_unshuffle's: the datum's
    channel first, then the place in the patch, axis by axis."""
    axes = x.ndim - 2
    sides = [side for size in x.shape[2:] for side in (size // patch_size, patch_size)]
    split = x.reshape(*x.shape[:2], *sides)
    order = [0, 1, *range(3, 3 + 2 * axes, 2), *range(2, 2 + 2 * axes, 2)]
    return split.permute(order).flatten(1, 1 + axes)


def joined(h: Tensor, patch_size: int) -> Tensor:
    """depth_to_space along any number of axes."""
    axes = h.ndim - 2
    split = h.reshape(len(h), -1, *[patch_size] * axes, *h.shape[2:])
    order = [0, 1, *(axis for place in range(axes) for axis in (2 + axes + place, 2 + place))]
    sizes = [size * patch_size for size in h.shape[2:]]
    return split.permute(order).reshape(len(h), -1, *sizes)


def sine_cosine_positions(grid: Sequence[int], width: int) -> Tensor:
    """Fixed positions (points of the grid, width): of every axis an equal share of the numbers, zeros where the width
    cannot be shared out.

    Example:
        >>> sine_cosine_positions((7, 7), 16).shape
        torch.Size([49, 16])
    """
    count = width // (2 * max(len(grid), 1))
    with torch.device("cpu"):  # as fm.networks.layers.TimeEmbedding has it
        frequencies = 10_000.0 ** -(torch.arange(count) / count)
        positions = torch.zeros(*grid, width)
        for axis, size in enumerate(grid):
            angles = torch.arange(size)[:, None] * frequencies
            line = torch.cat([angles.sin(), angles.cos()], dim=1)
            along = line.reshape(-1, *[1] * (len(grid) - 1 - axis), 2 * count)
            positions[..., 2 * count * axis : 2 * count * (axis + 1)] = along
    return positions.reshape(-1, width).to(torch.get_default_device())


def rotary_angles(grid: Sequence[int], width: int) -> Tensor:
    """By how much each pair of a head's `width` numbers is turned at each point of a grid, in radians (points, pairs):
    of every axis an equal share, from 1 a step down to 1/100 (Heo et al. 2024, arXiv 2403.13298, section 3.2). On the
    CPU, whatever the default.

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
        for axis, size in enumerate(grid):
            along = torch.arange(size)[:, None] * frequencies
            angles[..., axis, :] = along.reshape(-1, *[1] * (len(grid) - 1 - axis), count)
    return angles.reshape(-1, len(grid) * count) if grid else angles.reshape(1, 0)
