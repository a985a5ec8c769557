"""The way from noise to data: where it leads, and how straight it is."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from fm.paths import like

Velocity = Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def trajectory(velocity: Velocity, x0: Tensor, times: Tensor) -> Tensor:
    """Euler's polygon from x0 (B, ...) over rising times (steps + 1,): all its corners, (steps + 1, B, ...)."""
    corners = [x0]
    for t, t_next in pairwise(times.to(x0)):
        x = corners[-1]
        corners.append(x + like(t_next - t, x) * velocity(x, t.expand(len(x))))
    return torch.stack(corners)


@torch.no_grad()
def straightness(velocity: Velocity, x0: Tensor, times: Tensor) -> Tensor:
    """How far each trajectory is from a straight line walked at constant speed, like x0 (B,); 0 for such a line.

    The integral over t of |velocity - chord|^2 (Liu et al. 2022, arXiv 2209.03003, section 2.1), over |chord|^2 so
    that no scale matters. Along Euler's polygon the chord is the mean of the velocities, so this is their variance
    over time in units of the chord.

    Args:
        velocity: velocity(x, t) with x (B, ...) and t (B,).
        x0: start (B, ...).
        times: rising times (steps + 1,).
    """
    x = x0
    total = torch.zeros(len(x0), dtype=x0.dtype, device=x0.device)
    grid = times.to(x0)
    for t, t_next in pairwise(grid):
        v = velocity(x, t.expand(len(x)))
        total += (t_next - t) * v.flatten(1).square().sum(dim=1)
        x = x + like(t_next - t, x) * v
    chord = (x - x0).flatten(1).square().sum(dim=1)
    return total * (grid[-1] - grid[0]) / chord - 1
