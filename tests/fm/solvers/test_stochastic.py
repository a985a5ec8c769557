"""The stochastic differential equation on Gaussian data, where each step is linear: what a sampler makes of noise is
then known without drawing any."""

import math

import pytest
import torch
from torch import Tensor

from fm.paths import DDPM, EDM, CondOT, Cosine, Path
from fm.solvers import solve
from fm.solvers.stochastic import EulerMaruyama
from tests.fm.gaussian_data import DEVIATION, MEAN, ends_of, start, velocity_of

PATHS = pytest.mark.parametrize("path", [CondOT(), Cosine(), DDPM()])
COEFFICIENTS = [("sigma", 1.0), ("sigma", 4.0), ("sine", 2.0), ("constant", 0.5)]


def uniform(steps: int, t0: float = 0.0, t1: float = 1.0) -> Tensor:
    return torch.linspace(t0, t1, steps + 1, dtype=torch.float64)


def moments(solver: EulerMaruyama, path: Path, times: Tensor) -> tuple[float, float]:
    """Mean and variance of its samples: row 0 has no noise, each other one a single 1, in x or at one of the steps."""
    rows = len(times)
    drawn = iter(range(2, rows))

    def only(row: int) -> Tensor:
        noise = torch.zeros(rows, 1, dtype=torch.float64)
        noise[row] = 1
        return noise

    alpha, sigma = path.both(times[0])
    # x starts as it is distributed there: N(alpha mean, alpha^2 deviation^2 + sigma^2).
    x = alpha * MEAN + torch.hypot(alpha * DEVIATION, sigma) * only(1)
    ended = solver(ends_of(path), path, x, times, lambda: only(next(drawn)))
    return float(ended[0]), float((ended[1:] - ended[0]).square().sum())


@PATHS
@pytest.mark.parametrize(("diffusion", "scale"), COEFFICIENTS)
def test_mean_and_variance_are_kept_whatever_the_coefficient(path: Path, diffusion: str, scale: float) -> None:
    """They come to the path's at first order in the step, so that twice as many steps extrapolate to them."""
    solver = EulerMaruyama(diffusion=diffusion, scale=scale)  # type: ignore[arg-type]
    found = [moments(solver, path, uniform(steps, 0.1, 0.9)) for steps in (400, 800)]
    mean, variance = (2 * fine - coarse for coarse, fine in zip(*found, strict=True))
    alpha, sigma = (float(value) for value in path.both(torch.tensor(0.9, dtype=torch.float64)))
    assert mean == pytest.approx(alpha * MEAN, rel=1e-4)
    assert variance == pytest.approx((alpha * DEVIATION) ** 2 + sigma**2, rel=1e-4)
    assert abs(variance - found[1][1]) > 1e-5


@PATHS
@pytest.mark.parametrize(("diffusion", "scale"), COEFFICIENTS)
def test_it_ends_at_the_data(path: Path, diffusion: str, scale: float) -> None:
    solver = EulerMaruyama(diffusion=diffusion, scale=scale)  # type: ignore[arg-type]
    mean, variance = moments(solver, path, uniform(1000))
    assert mean == pytest.approx(MEAN, abs=0.01)
    assert math.sqrt(variance) == pytest.approx(DEVIATION, abs=0.01)


def test_noise_forgets_where_a_sample_began() -> None:
    x0 = torch.tensor([[0.0], [1.0]], dtype=torch.float64)

    def still() -> Tensor:
        return torch.zeros_like(x0)

    kept = []
    for scale in (0.0, 1.0, 4.0):
        ended = EulerMaruyama(scale=scale)(ends_of(CondOT()), CondOT(), x0, uniform(500), still)
        kept.append(float(ended[1] - ended[0]))
    assert kept[0] == pytest.approx(DEVIATION, rel=0.01)
    assert kept[0] > 1.2 * kept[1] > 2 * kept[2] > 0


@pytest.mark.parametrize("path", [CondOT(), Cosine()])
def test_without_noise_it_is_eulers_method(path: Path) -> None:
    """But for the last step, which is Euler's on the straight path alone."""
    times = uniform(10)
    x = solve(velocity_of(path), start(), "euler", times=times[:-1]).x1
    noise, data = ends_of(path)(x, times[-2])
    assert float(path.alpha(times[-1])) == 1
    expected = data + float(path.sigma(times[-1])) * noise
    torch.testing.assert_close(EulerMaruyama(scale=0)(ends_of(path), path, start(), times), expected)
    if path == CondOT():
        torch.testing.assert_close(expected, solve(velocity_of(path), start(), "euler", 10).x1)


def test_coefficients_are_those_of_the_paper() -> None:
    t = torch.tensor([0.25, 0.5], dtype=torch.float64)
    assert EulerMaruyama(scale=2).w(EDM(), t).tolist() == [120, 80]
    assert EulerMaruyama(diffusion="sine").w(EDM(), t).tolist() == pytest.approx([0.5, 1])
    assert EulerMaruyama(diffusion="constant", scale=3).w(EDM(), t).tolist() == [3, 3]


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(ValueError, match="source of noise"):
        EulerMaruyama()(ends_of(CondOT()), CondOT(), start(), uniform(2))
    with pytest.raises(ValueError, match=r"solver 'euler_maruyama': scale = -1"):
        EulerMaruyama(scale=-1)
    with pytest.raises(ValueError, match="solver 'euler_maruyama': diffusion = 'linear': must be one of sigma, sine"):
        EulerMaruyama(diffusion="linear")  # type: ignore[arg-type]
