"""The likelihood of Gaussian data, known in closed form."""

import math

import numpy as np
import pytest
import torch

from fm.codecs import Standardised
from fm.generator import Generator
from fm.likelihood import bits_per_dimension, in_bits, log_likelihood
from fm.paths import CondOT, Cosine, Path, VariancePreserving
from tests.fm.conftest import tiny_generator
from tests.fm.gaussian_data import DEVIATION, MEAN, velocity_of

X1 = MEAN + DEVIATION * torch.randn(6, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
EXACT = torch.distributions.Normal(MEAN, DEVIATION).log_prob(X1).flatten(1).sum(1)


@pytest.mark.parametrize("path", [CondOT(), Cosine()])
@pytest.mark.parametrize("solver", ["midpoint", "rk4", "dopri5"])
def test_exact_divergence_gives_the_exact_likelihood(path: Path, solver: str) -> None:
    found = log_likelihood(velocity_of(path), X1, solver=solver, steps=200)
    torch.testing.assert_close(found.log_density, EXACT, rtol=0, atol=1e-3)
    # The flow is quantile to quantile.
    torch.testing.assert_close(found.x0, (X1 - MEAN) / DEVIATION, rtol=0, atol=1e-3)
    assert solver == "dopri5" or found.nfe == 200 * {"midpoint": 2, "rk4": 4}[solver]


def test_hutchinsons_estimate_is_exact_where_the_jacobian_is_diagonal() -> None:
    probe = torch.randint(0, 2, X1.shape, generator=torch.Generator().manual_seed(1)) * 2.0 - 1
    found = log_likelihood(velocity_of(CondOT()), X1, probe.double(), steps=200)
    torch.testing.assert_close(found.log_density, EXACT, rtol=0, atol=1e-3)


def test_hutchinsons_estimate_has_the_right_mean() -> None:
    """For a velocity A x, whose divergence is the trace of A, and a log-density that follows from it."""
    generator = torch.Generator().manual_seed(2)
    matrix = 0.3 * torch.randn(3, 3, generator=generator, dtype=torch.float64)
    x1 = torch.randn(1, 3, generator=generator, dtype=torch.float64).expand(4000, 3)
    probe = torch.randint(0, 2, x1.shape, generator=generator).double() * 2 - 1
    estimates = log_likelihood(lambda x, t: x @ matrix.T, x1, probe, solver="rk4", steps=5).log_density
    x0 = x1[0] @ torch.linalg.matrix_exp(-matrix).T
    exact = torch.distributions.Normal(0, 1).log_prob(x0).sum() - matrix.trace()
    error = float(estimates.std()) / math.sqrt(len(estimates))
    assert float(estimates.std()) > 0.1
    assert float(estimates.mean()) == pytest.approx(float(exact), abs=4 * error)


def test_the_start_is_scaled_as_the_path_says() -> None:
    """Variance-exploding times: from N(0, 2^2) by a velocity that halves."""
    found = log_likelihood(lambda x, t: -math.log(2) * x, X1, prior_scale=2.0, solver="rk4", steps=20)
    exact = torch.distributions.Normal(0, 1).log_prob(X1).flatten(1).sum(1)
    torch.testing.assert_close(found.log_density, exact, rtol=0, atol=1e-5)


def test_from_the_end_of_the_interval_of_a_path_whose_slope_is_infinite() -> None:
    path = VariancePreserving()
    found = log_likelihood(velocity_of(path), X1, solver={"name": "dopri5", "tolerance": 1e-7}, t1=path.interval[1])
    end = torch.tensor(path.interval[1], dtype=torch.float64)
    spread = float(torch.hypot(path.alpha(end) * DEVIATION, path.sigma(end)))
    exact = torch.distributions.Normal(float(path.alpha(end)) * MEAN, spread).log_prob(X1).flatten(1).sum(1)
    torch.testing.assert_close(found.log_density, exact, rtol=0, atol=0.01)


def test_uniform_grey_levels_cost_eight_bits() -> None:
    """A density that is uniform over 256 levels of width 2/255 in four dimensions."""
    log_density = torch.tensor([-4 * math.log(256 * 2 / 255)])
    assert float(in_bits(log_density, 4)) == pytest.approx(8)


def test_bits_of_a_flow_that_stands_still_are_those_of_its_noise() -> None:
    """An untrained network's velocity is 0, so that the images are taken for standard normal noise."""
    untrained = Generator.untrained(tiny_generator().config)
    data = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    x = (data.reshape(3, -1) - 127.5) / 127.5
    density = -0.5 * (x**2).sum(1) - 32 * np.log(2 * np.pi)
    expected = -density / (64 * np.log(2)) + np.log2(127.5)
    for exact in (False, True):
        found = bits_per_dimension(untrained, data, steps=2, exact=exact).numpy()
        np.testing.assert_allclose(found, expected, atol=5e-3)  # the dequantisation moves them by so much


def test_bits_agree_whichever_divergence(generator: Generator) -> None:
    data = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), dtype=np.uint8)
    exact = bits_per_dimension(generator, data, labels=[1, 2], steps=4, exact=True)
    estimates = torch.stack([bits_per_dimension(generator, data, [1, 2], seed, steps=4) for seed in range(20)])
    error = estimates.std(0) / 20**0.5
    assert bool(((estimates.mean(0) - exact).abs() < 5 * error + 5e-3).all())


def test_what_has_no_grey_levels_has_no_bits(generator: Generator) -> None:
    generator.codec = Standardised((1, 8, 8))
    with pytest.raises(ValueError, match="data of float32 have no grey levels"):
        bits_per_dimension(generator, np.zeros((1, 1, 8, 8), dtype=np.float32))  # type: ignore[arg-type]
