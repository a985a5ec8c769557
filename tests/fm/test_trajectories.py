"""Straightness by closed forms."""

import math

import pytest
import torch
from torch import Tensor

from fm.grids import time_grid
from fm.paths import CondOT
from fm.trajectories import straightness, trajectory

X0 = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)


def uniform(steps: int, t0: float = 0.0, t1: float = 1.0) -> Tensor:
    return time_grid("uniform", CondOT(), steps, t0, t1)


def test_a_straight_line_at_constant_speed_is_zero():
    found = straightness(lambda x, t: torch.ones_like(x), X0, uniform(7, 0.1, 0.8))
    torch.testing.assert_close(found, torch.zeros(2, dtype=torch.float64), atol=1e-12, rtol=0)


def test_a_line_walked_faster_and_faster_is_not():
    """v = 2t: the mean of v^2 is 4/3, the chord 1."""
    found = straightness(lambda x, t: 2 * t[:, None].expand_as(x), X0, uniform(4000))
    torch.testing.assert_close(found, torch.full((2,), 1 / 3, dtype=torch.float64), atol=1e-3, rtol=0)


@pytest.mark.parametrize("angle", [0.1, math.pi / 2, math.pi])
def test_an_arc_by_its_chord(angle: float):
    """A circle's arc of length a and chord 2 sin(a/2), whatever its radius: a^2 / chord^2 - 1."""

    def turning(x: Tensor, t: Tensor) -> Tensor:
        return angle * torch.stack([-x[:, 1], x[:, 0]], dim=1)

    found = straightness(turning, X0, uniform(20000))
    expected = (angle / (2 * math.sin(angle / 2))) ** 2 - 1
    torch.testing.assert_close(found, torch.full((2,), expected, dtype=torch.float64), atol=1e-3, rtol=1e-3)


def test_a_trajectory_has_all_corners_of_eulers_polygon():
    found = trajectory(lambda x, t: 2 * t[:, None].expand_as(x), X0, uniform(2))
    assert found.shape == (3, 2, 2)
    torch.testing.assert_close(found[0], X0)
    torch.testing.assert_close(found[1], X0)  # at t = 0 the velocity is 0
    torch.testing.assert_close(found[2], X0 + 0.5)
