"""A small convolutional network along one, two or three axes that measures fields, videos and volumes.

It is trained to see what is wrong with data that were damaged in three ways at once: by noise, by blur, and by turned
phases, which leave the power spectrum as it is; and to tell labels where there are some. To see how far phases are
turned is to know what of the data a spectrum does not tell (surrogates: Theiler et al. 1992, Physica D 58), along
every axis. A classifier alone would not look at what its labels do not need, such as how a garment moves; and a
denoiser's bottleneck, of turbulence, had noise with random phases 1.3 times as far away as the test split.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import pi, prod
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

MOST_POINTS = 2**15
"""Of the grid that is looked at: 64 x 64 fields and 32 x 32 x 32 volumes are, larger data are made smaller first."""
COARSEST = 4
"""Points along an axis at which it is no longer halved."""
WIDTHS = (16, 32, 64, 32)
DAMAGES = 3
"""Turned phases, blur, noise."""
WIDEST = 2.0
"""Points: the deviation of the blur where it is worst."""
CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS: dict[int, type[nn.Module]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


class Said(NamedTuple):
    """What the network says of data: how far they are damaged (B, DAMAGES), and logits of their labels (B, classes).

    >>> Said(torch.zeros(2, DAMAGES), torch.zeros(2, 10)).damage.shape
    torch.Size([2, 3])
    """

    damage: Tensor
    logits: Tensor


class SpaceTimeNetwork(nn.Module):
    """Convolutions at falling resolution; what the last one sees, on average over its grid, is `features`.

    Args:
        shape: (C, *spatial) of a datum, along one to three axes.
        classes: labels to tell; 0 for none.
        wraps: along which axes data go on at the other side.

    >>> network = SpaceTimeNetwork((2, 6, 16, 16), classes=3, wraps=(False, True, True))
    >>> network.features(torch.zeros(5, 2, 6, 16, 16)).shape, network(torch.zeros(5, 2, 6, 16, 16)).logits.shape
    (torch.Size([5, 32]), torch.Size([5, 3]))
    """

    dimensions = WIDTHS[-1]

    def __init__(self, shape: Sequence[int], classes: int, wraps: Sequence[bool]) -> None:
        super().__init__()
        axes = len(shape) - 1
        self.classes, self.squares = classes, squares_of(shape[1:])
        grid = [size // side for size, side in zip(shape[1:], self.squares, strict=True)]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((shape[0], *WIDTHS)):
            strides = tuple(2 if size >= 2 * COARSEST else 1 for size in grid)
            convolution = CONVOLUTIONS[axes](inputs, outputs, 3, strides, bias=False)
            layers += [Padded(wraps), convolution, NORMS[axes](outputs), nn.ReLU()]
            grid = [-(-size // stride) for size, stride in zip(grid, strides, strict=True)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(self.dimensions, DAMAGES + classes)

    def forward(self, x: Tensor) -> Said:
        """x (B, C, *spatial)."""
        return self.say(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """x (B, C, *spatial) -> (B, dimensions)."""
        return self.see(self.looked_at(x))

    def looked_at(self, x: Tensor) -> Tensor:
        """Large data made smaller, by the means of squares."""
        return x if prod(self.squares) == 1 else POOLS[x.ndim - 2](x, self.squares)

    def see(self, looked_at: Tensor) -> Tensor:
        """(B, dimensions)."""
        seen: Tensor = self.body(looked_at)
        return seen.flatten(2).mean(dim=2)

    def say(self, features: Tensor) -> Said:
        return Said(*self.head(features).split((DAMAGES, self.classes), dim=1))


class Padded(nn.Module):
    """One more point at both ends of every axis: the other side's where data go on there, else zeros.

    >>> Padded((True,))(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[3.0, 1.0, 2.0, 3.0, 1.0]]]
    """

    def __init__(self, wraps: Sequence[bool]) -> None:
        super().__init__()
        self.wraps = tuple(wraps)

    def forward(self, x: Tensor) -> Tensor:
        for circular in (True, False):
            sides = [int(wrapped == circular) for wrapped in reversed(self.wraps) for _ in range(2)]
            if any(sides):
                x = F.pad(x, sides, mode="circular" if circular else "constant")
        return x


def squares_of(spatial: Sequence[int]) -> tuple[int, ...]:
    """Points along each axis of which one is made, so that no more than MOST_POINTS are looked at: the longest axes are
    halved until it is so.

    >>> squares_of((64, 64)), squares_of((16, 64, 64)), squares_of((512, 256))
    ((1, 1), (1, 2, 2), (4, 2))
    """
    grid = list(spatial)
    while prod(grid) > MOST_POINTS:
        longest = max(grid)
        grid = [size // 2 if size == longest else size for size in grid]
    return tuple(size // left for size, left in zip(spatial, grid, strict=True))


def damaged(x: Tensor, amounts: Tensor, scale: float) -> Tensor:
    """Data (B, C, *spatial) whose phases are turned, that are blurred and under noise, each by an amount from 0 to 1.

    All channels' phases are turned alike, so that what holds between channels at every wave number still does.

    Args:
        amounts: (B, DAMAGES).
        scale: the data's standard deviation, which the noise has where it is worst.

    >>> x = torch.randn(2, 1, 16)
    >>> torch.allclose(damaged(x, torch.zeros(2, 3), scale=1.0), x, atol=1e-5)
    True
    """
    axes = tuple(range(2, x.ndim))
    turn, blur, noise = (amount.reshape(-1, *[1] * (x.ndim - 1)) for amount in amounts.unbind(dim=1))
    angles = torch.fft.rfftn(torch.randn_like(x[:, :1]), dim=axes).angle()
    kept = torch.exp(-(square_of_wave_numbers(x.shape[2:], x.device) * (WIDEST * blur) ** 2) / 2)
    changed = torch.fft.rfftn(x, dim=axes) * torch.polar(kept.expand_as(angles).contiguous(), turn * angles)
    again: Tensor = torch.fft.irfftn(changed, s=x.shape[2:], dim=axes)
    return again + scale * noise**2 * torch.randn_like(x)


def square_of_wave_numbers(spatial: Sequence[int], device: torch.device) -> Tensor:
    """In radians a point, as torch.fft.rfftn has them."""
    total = torch.zeros((), device=device)
    for axis, size in enumerate(spatial):
        last = axis == len(spatial) - 1
        along = (torch.fft.rfftfreq if last else torch.fft.fftfreq)(size, device=device) * 2 * pi
        total = total[..., None] + along**2
    return total


class Damaged(NamedTuple):
    """What was said of data, and how far they really are damaged (B, DAMAGES); after the first `harmed` they are not.

    >>> Damaged(Said(torch.zeros(2, DAMAGES), torch.zeros(2, 0)), torch.zeros(2, DAMAGES), harmed=1).amounts.shape
    torch.Size([2, 3])
    """

    said: Said
    amounts: Tensor
    harmed: int


class Damaging(nn.Module):
    """The network as it is trained: every damage is done to half of the data, by an amount drawn for each. Where there
    are labels, half of a batch is left as it is, since what is damaged does not show them.

    Args:
        scale: the data's standard deviation.

    >>> network = SpaceTimeNetwork((1, 8, 8), classes=0, wraps=(False, False))
    >>> Damaging(network, scale=1.0)(torch.randn(4, 1, 8, 8)).amounts.shape
    torch.Size([4, 3])
    """

    def __init__(self, network: SpaceTimeNetwork, scale: float) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, x: Tensor) -> Damaged:
        """x (B, C, *spatial)."""
        x = self.network.looked_at(x)
        count = len(x) // 2 if self.network.classes else len(x)
        drawn = torch.rand(2, count, DAMAGES, device=x.device)
        amounts = drawn[0] * (drawn[1] < 0.5)
        seen = self.network.see(torch.cat([damaged(x[:count], amounts, self.scale), x[count:]]))
        return Damaged(self.network.say(seen), F.pad(amounts, (0, 0, 0, len(x) - count)), count)


def learning(labels: NDArray[np.int64] | None) -> Callable[[Damaged, NDArray[np.int64]], Tensor]:
    """The loss for fm.metrics.fitting: squared errors of the damage in units of its variance, and the cross-entropy of
    labels, int64 (N,), if there are any."""

    def loss(found: Damaged, rows: NDArray[np.int64]) -> Tensor:
        error = (found.said.damage - found.amounts).square().mean() / VARIANCE
        if labels is None:
            return error
        whole = slice(found.harmed, None)
        return error + F.cross_entropy(found.said.logits[whole], torch.from_numpy(labels[rows[whole]]).to(error.device))

    return loss


VARIANCE = 1 / 6 - 1 / 16
"""Of an amount that is 0 for half of the data and lies evenly between 0 and 1 for the others."""


def going_round(data: Tensor) -> tuple[bool, ...]:
    """Along which axes data (B, C, *spatial) go on at the other side: where the last points differ from the first no
    more than twice as much as neighbours do, by mean squares. Data without anything at their edges do too.

    >>> waves = torch.sin(torch.arange(32) * torch.pi / 16 + torch.rand(50, 1, 1))
    >>> going_round(waves), going_round(waves[..., :20])
    ((True,), (False,))
    """
    found = []
    for axis in range(2, data.ndim):
        ends = data.narrow(axis, 0, 1) - data.narrow(axis, -1, 1)
        found.append(bool(ends.square().mean() <= 2 * data.diff(dim=axis).square().mean()))
    return tuple(found)
