"""Solvers of differential equations against Gaussian data, where everything is known in closed form."""

import math

import pytest
import torch
from torch import Tensor

from fm.paths import DDPM, EDM, CondOT, Cosine, Path, Polynomial, VariancePreserving
from fm.solvers import solve
from tests.fm.gaussian_data import flow_of, start, velocity_of


@pytest.mark.parametrize(
    ("solver", "order", "calls"), [("euler", 1, 1), ("midpoint", 2, 2), ("heun", 2, 2), ("rk4", 4, 4)]
)
def test_order_of_convergence_and_counted_calls(solver: str, order: int, calls: int) -> None:
    path = Cosine()
    errors = []
    for steps in (40, 80):
        solution = solve(velocity_of(path), start(), solver, steps, t1=0.9)
        assert solution.nfe == calls * steps
        errors.append(float((solution.x1 - flow_of(path, start(), 0, 0.9)).abs().max()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("path", [CondOT(), Cosine(), Polynomial(3.0), VariancePreserving(), EDM()])
def test_dormand_prince_keeps_its_tolerance_and_counts_its_calls(path: object) -> None:
    exact = flow_of(path, start(), 0, 0.9)
    loose = solve(velocity_of(path), start(), {"name": "dopri5", "tolerance": 1e-3}, t1=0.9)
    tight = solve(velocity_of(path), start(), {"name": "dopri5", "tolerance": 1e-9}, t1=0.9)
    torch.testing.assert_close(tight.x1, exact, rtol=1e-7, atol=1e-7)
    assert float((tight.x1 - exact).abs().max()) < float((loose.x1 - exact).abs().max())
    assert tight.nfe > loose.nfe > 0


@pytest.mark.parametrize("path", [CondOT(), DDPM(), Cosine()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_dormand_prince_asks_for_no_time_beyond_the_interval(path: Path, dtype: torch.dtype, scale: float) -> None:
    """A slow velocity makes for long steps, and the first one tried is longer than the interval."""
    for t0, t1 in (path.interval, path.interval[::-1]):
        asked = []

        def velocity(x: Tensor, t: Tensor, asked: list[Tensor] = asked) -> Tensor:
            asked.append(t)
            return scale * velocity_of(path)(x, t)

        x0 = start(dtype)
        solution = solve(velocity, x0, {"name": "dopri5", "tolerance": 1e-3}, t0=t0, t1=t1)
        times = torch.cat(asked)
        low, high = torch.tensor(sorted((t0, t1))).to(dtype)
        assert low <= times.min()
        assert times.max() <= high
        if scale == 1 and t0 < t1:
            torch.testing.assert_close(solution.x1, flow_of(path, x0, t0, t1).to(dtype), rtol=0.02, atol=0.02)


def test_dormand_prince_says_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="dopri5 cannot keep a tolerance of 1e-05, or the velocity is not finite"):
        solve(lambda x, t: x / 0, start(), "dopri5")


def test_dtype_is_kept_or_raised_to_float32() -> None:
    for solver in ("midpoint", "dopri5"):
        assert solve(velocity_of(CondOT()), start(), solver, steps=2).x1.dtype == torch.float64
        assert solve(velocity_of(CondOT()), start(torch.bfloat16), solver, steps=2).x1.dtype == torch.float32


@pytest.mark.parametrize("solver", ["midpoint", "rk4", "dopri5"])
def test_between_given_times_and_back(solver: str) -> None:
    half = solve(velocity_of(CondOT()), start(), solver, 200, t1=0.5).x1
    whole = solve(velocity_of(CondOT()), half, solver, 200, t0=0.5).x1
    torch.testing.assert_close(whole, flow_of(CondOT(), start(), 0, 1), rtol=1e-3, atol=1e-3)
    back = solve(velocity_of(CondOT()), whole, solver, 400, t0=1.0, t1=0.0).x1
    torch.testing.assert_close(back, start(), rtol=1e-3, atol=1e-3)


def test_on_a_given_grid() -> None:
    grid = torch.tensor([0.0, 0.1, 0.4, 1.0], dtype=torch.float64)
    x = start()
    for t, t_next in ((0.0, 0.1), (0.1, 0.4), (0.4, 1.0)):
        x = x + (t_next - t) * velocity_of(CondOT())(x, torch.full((9,), t, dtype=torch.float64))
    solution = solve(velocity_of(CondOT()), start(), "euler", times=grid)
    torch.testing.assert_close(solution.x1, x, rtol=1e-14, atol=1e-14)
    assert solution.nfe == 3


def test_unknown_solver_and_no_steps() -> None:
    with pytest.raises(ValueError, match="no solver 'rk5'"):
        solve(velocity_of(CondOT()), start(), "rk5")
    with pytest.raises(ValueError, match="at least 1"):
        solve(velocity_of(CondOT()), start(), "euler", 0)
