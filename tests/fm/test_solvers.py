"""Solvers against Gaussian data, where everything is known in closed form."""

import math

import pytest
import torch
from torch import Tensor

from fm.paths import DDPM, CondOT, Cosine, Path, VariancePreserving, like
from fm.solvers import posterior_deviation, solve, walk

MEAN, DEVIATION = 0.4, 0.3


def gaussian_ends(path: Path, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """E[x0 | x_t] and E[x1 | x_t] for data N(MEAN, DEVIATION^2)."""
    alpha, sigma = path.alpha(like(t, x)), path.sigma(like(t, x))
    gain = alpha * DEVIATION**2 / (alpha**2 * DEVIATION**2 + sigma**2)
    x1 = MEAN + gain * (x - alpha * MEAN)
    return torch.where(sigma > 0, (x - alpha * x1) / sigma, torch.zeros_like(x)), x1


def velocity_of(path: Path):
    def velocity(x: Tensor, t: Tensor) -> Tensor:
        x0, x1 = gaussian_ends(path, x, t)
        return path.d_alpha(like(t, x)) * x1 + path.d_sigma(like(t, x)) * x0

    return velocity


def start(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.linspace(-2, 2, 9, dtype=dtype)[:, None]


@pytest.mark.parametrize(("solver", "order", "calls"), [("euler", 1, 1), ("midpoint", 2, 2), ("heun", 2, 2)])
def test_order_of_convergence_and_counted_calls(solver: str, order: int, calls: int) -> None:
    # The flow maps one time's Gaussian to another's, quantile by quantile.
    path, end = Cosine(), torch.tensor(0.9, dtype=torch.float64)
    spread = (path.alpha(end) ** 2 * DEVIATION**2 + path.sigma(end) ** 2).sqrt()
    exact = path.alpha(end) * MEAN + spread * start()
    errors = []
    for steps in (40, 80):
        solution = solve(velocity_of(path), start(), solver, steps, t1=0.9)
        assert solution.nfe == calls * steps
        errors.append(float((solution.x1 - exact).abs().max()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


def test_dtype_is_kept_or_raised_to_float32() -> None:
    assert solve(velocity_of(CondOT()), start(), steps=2).x1.dtype == torch.float64
    assert solve(velocity_of(CondOT()), start(torch.bfloat16), steps=2).x1.dtype == torch.float32


def test_between_given_times() -> None:
    field = velocity_of(CondOT())
    half = solve(field, start(), "heun", 50, 0.0, 0.5).x1
    torch.testing.assert_close(solve(field, half, "heun", 50, 0.5, 1.0).x1, solve(field, start(), "heun", 100).x1)


def test_unknown_solver_and_no_steps() -> None:
    with pytest.raises(ValueError, match="no solver 'rk5'"):
        solve(velocity_of(CondOT()), start(), "rk5")
    with pytest.raises(ValueError, match="at least 1"):
        solve(velocity_of(CondOT()), start(), "euler", 0)


@pytest.mark.parametrize("steps", [1, 7, 50])
def test_ddim_on_the_straight_path_is_eulers_method(steps: int) -> None:
    path = CondOT()
    ddim = walk(lambda x, t: gaussian_ends(path, x, t), path, start(), steps)
    euler = solve(velocity_of(path), start(), "euler", steps).x1
    torch.testing.assert_close(ddim, euler, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("path", [DDPM(), VariancePreserving(), Cosine(), CondOT()])
def test_ddim_converges_to_the_data(path: Path) -> None:
    ended = walk(lambda x, t: gaussian_ends(path, x, t), path, start(), 500)
    torch.testing.assert_close(ended, MEAN + DEVIATION * start(), rtol=0, atol=0.01)


def test_ddim_is_song_et_al_equation_12() -> None:
    """x' = sqrt(a') (x - sqrt(1 - a) e) / sqrt(a) + sqrt(1 - a') e for a network that always says e."""
    path, noise = DDPM(), torch.full((9, 1), 0.7, dtype=torch.float64)
    a = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)[[999, 799, 599, 399, 199]]
    x = start()
    for now, then in zip(a, [*a[1:], torch.tensor(1.0, dtype=torch.float64)], strict=True):
        x = then.sqrt() * (x - (1 - now).sqrt() * noise) / now.sqrt() + (1 - then).sqrt() * noise

    def ends(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return noise, path.convert(noise, x, t, source="noise", target="data")

    torch.testing.assert_close(walk(ends, path, start(), 5), x, rtol=1e-9, atol=1e-9)


def test_posterior_deviation_is_ho_et_al_equation_7() -> None:
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    a = torch.cumprod(1 - betas, 0)
    k = torch.tensor([10, 500, 1000])
    expected = ((1 - a[k - 2]) / (1 - a[k - 1]) * betas[k - 1]).sqrt()
    actual = posterior_deviation(DDPM(), 1 - k.double() / 1000, 1 - (k.double() - 1) / 1000)
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=0)


def test_ancestral_sampling_gives_the_datas_distribution() -> None:
    path, generator = DDPM(), torch.Generator().manual_seed(0)
    x0 = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    ended = walk(
        lambda x, t: gaussian_ends(path, x, t),
        path,
        x0,
        1000,
        eta=1.0,
        noise=lambda: torch.randn(x0.shape, generator=generator, dtype=torch.float64),
    )
    assert float(ended.mean()) == pytest.approx(MEAN, abs=0.01)
    assert float(ended.std()) == pytest.approx(DEVIATION, abs=0.01)
    assert abs(float(torch.corrcoef(torch.stack([x0[:, 0], ended[:, 0]]))[0, 1])) < 0.1
    with pytest.raises(ValueError, match="source of noise"):
        walk(lambda x, t: gaussian_ends(path, x, t), path, x0, 2, eta=1.0)
