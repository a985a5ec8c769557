"""Diffusion is a special case: what is trained on one path is sampled along another."""

import pytest
import torch
from torch import Tensor, nn

from fm.change_of_path import matching_time, scale
from fm.conditions import Condition
from fm.field import Field
from fm.paths import DDPM, EDM, CondOT, Cosine, Path, Polynomial, VariancePreserving, like
from fm.solvers import solve
from fm.solvers.gaussian import DDIM
from fm.targets import Noise

PATHS = [CondOT(), Cosine(), DDPM(), EDM(), Polynomial(3.0), VariancePreserving()]


class Network(nn.Module):
    """A fixed, smooth, nonlinear function of x and t."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(4, 4, generator=generator, dtype=torch.float64))

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        return torch.sin(x @ self.weight + like(t, x)) + 0.1 * like(condition["label"], x)


def field(path: Path, along: Path | None = None) -> Field:
    return Field(Network(), path, Noise(), {"label": torch.arange(5)}, along=along)


def start() -> Tensor:
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("path", [VariancePreserving(), DDPM(), Cosine()])
@torch.no_grad()
def test_ddim_is_eulers_method_after_the_change_to_the_straight_path(path: Path) -> None:
    """To rounding; Euler's method on the path's own velocity ends somewhere else."""
    straight, times = CondOT(), torch.linspace(0.02, 0.98, 11, dtype=torch.float64)
    expected = DDIM()(field(path).ends, path, start(), times)

    there = matching_time(path, straight, times)
    to_straight = scale(path, straight, times, there)
    euler = solve(field(path, along=straight).velocity, start() * to_straight[0], "euler", times=there)
    torch.testing.assert_close(euler.x1 / to_straight[-1], expected, rtol=1e-10, atol=1e-10)
    assert euler.nfe == 10

    own = solve(field(path).velocity, start(), "euler", times=times).x1
    assert float((own - expected).abs().max()) > 0.05


@pytest.mark.parametrize("source", PATHS, ids=str)
@pytest.mark.parametrize("target", PATHS, ids=str)
def test_a_point_and_its_image_have_the_same_ends(source: Path, target: Path) -> None:
    t = torch.linspace(0.3, 0.9, 5, dtype=torch.float64)
    x0, x1 = start(), start().flip(0)
    there = matching_time(source, target, t)
    moved = source.sample(x0, x1, t).x_t * like(scale(source, target, t, there), x0)
    torch.testing.assert_close(moved, target.sample(x0, x1, there).x_t, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_both_ways_of_one_flow_meet() -> None:
    """The exact flow is the same along any path: two fine integrations agree, but for the change of scale."""
    source, target = Cosine(), EDM()
    t = torch.tensor([0.3, 0.8], dtype=torch.float64)
    there = matching_time(source, target, t)
    factor = scale(source, target, t, there)
    own = solve(field(source).velocity, start(), "rk4", 200, *t.tolist()).x1
    changed = solve(field(source, along=target).velocity, start() * factor[0], "rk4", 200, *there.tolist()).x1
    torch.testing.assert_close(changed / factor[1], own, rtol=1e-7, atol=1e-7)


def test_noisier_than_the_other_path_gets_is_its_start() -> None:
    t = matching_time(CondOT(), VariancePreserving(), torch.tensor([0.0, 1e-4, 1.0]))
    assert t.tolist() == [0.0, 0.0, 1.0]
