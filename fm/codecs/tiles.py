"""Decoding a grid of latents tile by tile, where the whole would not fit in memory.

Tiles overlap by a quarter of their side, where each fades linearly into the next. What a network decodes of a point by
its neighbours alone is the same as in the whole, but near the edges of tiles; what it takes from the whole grid, as
norms and attention do, is each tile's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fm.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

OVERLAP = 4
"""The part of a tile's side, one in so many, that it shares with the next."""


def in_tiles(decode: Callable[[Tensor], Tensor], z: Tensor, side: int, factor: int) -> Tensor:
    """What `decode` makes of z (B, c, h, w), at most side x side points at a time: (B, C, factor h, factor w).

    >>> z = torch.arange(48.0).reshape(1, 1, 6, 8)
    >>> torch.equal(in_tiles(lambda tile: tile, z, side=4, factor=1), z)
    True
    """
    height, width = z.shape[2:]
    if max(height, width) <= side:
        return decode(z)
    made, weights = None, torch.zeros(factor * height, factor * width, device=z.device)
    for top in starts(height, side):
        for left in starts(width, side):
            part = decode(z[:, :, top : top + side, left : left + side])
            weight = torch.outer(ramp(top, height, side, factor), ramp(left, width, side, factor)).to(z.device)
            rows, columns = (
                slice(factor * first, factor * first + size)
                for first, size in ((top, len(weight)), (left, weight.shape[1]))
            )
            if made is None:
                made = part.new_zeros(*part.shape[:2], *weights.shape)
            made[:, :, rows, columns] += weight * part
            weights[rows, columns] += weight
    assert made is not None  # there is a first tile
    return made / weights


def starts(length: int, side: int) -> list[int]:
    """Where tiles begin along an axis; the last ends with it.

    >>> starts(10, 4), starts(3, 4)
    ([0, 3, 6], [0])
    """
    if length <= side:
        return [0]
    return [*range(0, length - side, side - side // OVERLAP), length - side]


def ramp(start: int, length: int, side: int, factor: int) -> Tensor:
    """How much a tile counts along an axis: less and less towards an end that another tile covers.

    >>> ramp(0, 10, 4, 2)
    tensor([1.0000, 1.0000, 1.0000, 1.0000, 1.0000, 1.0000, 0.7500, 0.2500])
    """
    size = factor * min(side, length)
    weight, fading = torch.ones(size), factor * (side // OVERLAP)
    rising = (torch.arange(fading) + 0.5) / fading
    if start > 0:
        weight[:fading] = rising
    if start + side < length:
        weight[size - fading :] *= rising.flip(0)
    return weight
