"""Paths against closed forms, autograd and published formulas."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fm.components import known, options_of
from fm.options import Number
from fm.paths import DDPM, SIGMA_DATA, CondOT, Cosine, Path, VariancePreserving, derivative
from tests.fm.gaussian_data import DEVIATION, MEAN, ends_of, flow_of, start

EVERY_PATH = [pytest.param(Path.of(name), id=name) for name in known("path")]
QUANTITIES = ["velocity", "data", "noise", "score", "v", "edm"]


def ends(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x0, x1 = torch.randn(2, 5, 1, 3, 2, generator=generator, dtype=torch.float64)
    return x0, x1


@pytest.mark.parametrize("path", EVERY_PATH)
def test_goes_from_noise_to_data(path: Path) -> None:
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert path.sigma(t)[0] > 0.99997
    assert path.ratio(t)[0] > 79
    assert path.prior_scale == float(path.sigma(t)[0])
    torch.testing.assert_close(path.alpha(t)[1], torch.tensor(1.0, dtype=torch.float64))
    assert path.sigma(t)[1] == 0


@pytest.mark.parametrize("path", EVERY_PATH)
def test_derivatives_are_those_of_autograd(path: Path) -> None:
    # Off DDPM's grid: there its slope jumps.
    t = torch.linspace(0.0503, 0.9503, 41, dtype=torch.float64)
    for function, slope in [(path.alpha, path.d_alpha), (path.sigma, path.d_sigma)]:
        torch.testing.assert_close(slope(t), derivative(function, t), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("path", EVERY_PATH)
@pytest.mark.parametrize("source", QUANTITIES)
@pytest.mark.parametrize("target", QUANTITIES)
def test_conversions_recover_what_the_point_was_made_of(path: Path, source: str, target: str) -> None:
    x0, x1 = ends(0)
    t = torch.linspace(0.05, 0.95, 5, dtype=torch.float64)
    point = path.sample(x0, x1, t)
    scale = path.sigma(t)[:, None, None, None]
    alpha, spread = path.alpha(t)[:, None, None, None], path.spread(t, SIGMA_DATA)[:, None, None, None]
    truth = {
        "velocity": point.velocity,
        "data": x1,
        "noise": x0,
        "score": -x0 / scale,
        "v": alpha * x0 - scale * x1,
        "edm": (scale * x1 / SIGMA_DATA - alpha * SIGMA_DATA * x0) / spread,
    }
    converted = path.convert(truth[source], point.x_t, t, source=source, target=target)
    torch.testing.assert_close(converted, truth[target], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("path", EVERY_PATH)
def test_score_and_velocity_of_gaussian_data_are_the_known_ones(path: Path) -> None:
    """The means over x1 given x_t, converted, are the gradient of log p_t and the flow's speed."""
    t = torch.linspace(0.1003, 0.9003, 9, dtype=torch.float64)  # off the knots of DDPM
    x = start()
    x1 = ends_of(path)(x, t).x1
    alpha, sigma = path.alpha(t)[:, None], path.sigma(t)[:, None]
    score = -(x - alpha * MEAN) / (alpha**2 * DEVIATION**2 + sigma**2)
    torch.testing.assert_close(path.convert(x1, x, t, source="data", target="score"), score, rtol=1e-9, atol=1e-9)

    step = 1e-6
    moved = torch.cat([flow_of(path, one[None], float(at), float(at) + step) for one, at in zip(x, t, strict=True)])
    velocity = path.convert(x1, x, t, source="data", target="velocity")
    torch.testing.assert_close(velocity, (moved - x) / step, rtol=1e-3, atol=1e-4)


@given(t=st.floats(0.05, 0.95), seed=st.integers(0, 1000), name=st.sampled_from(sorted(known("path"))))
@settings(max_examples=50, deadline=None)
def test_conversions_there_and_back(t: float, seed: int, name: str) -> None:
    path = Path.of(name)
    x_t, value = ends(seed)
    times = torch.full((5,), t, dtype=torch.float64)
    for quantity in ["data", "noise", "score", "v", "edm"]:
        there = path.convert(value, x_t, times, source="velocity", target=quantity)
        back = path.convert(there, x_t, times, source=quantity, target="velocity")
        torch.testing.assert_close(back, value, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("path", [VariancePreserving(), DDPM(), Cosine()])
def test_variance_is_preserved(path: Path) -> None:
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    torch.testing.assert_close(path.alpha(t).square() + path.sigma(t).square(), torch.ones_like(t))


def test_ddpm_is_the_product_of_its_betas() -> None:
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    alpha_bar = torch.cumprod(1 - betas, 0)
    k = torch.tensor([1, 2, 10, 500, 999, 1000])
    t = 1 - k.double() / 1000
    torch.testing.assert_close(DDPM().alpha(t).square(), alpha_bar[k - 1], rtol=1e-9, atol=0)


def test_variance_preserving_is_song_et_al_equation_33() -> None:
    s = torch.linspace(0, 1, 11, dtype=torch.float64)
    expected = torch.exp(-0.25 * s**2 * (20.0 - 0.1) - 0.5 * s * 0.1)
    torch.testing.assert_close(VariancePreserving(0.1, 20.0).alpha(1 - s), expected)
    assert VariancePreserving().alpha(torch.zeros(())).item() == pytest.approx(math.exp(-20.1 / 4))


def test_what_does_not_exist_is_refused() -> None:
    x = torch.zeros(2, 1, 2, 2)
    with pytest.raises(ValueError, match="alpha = 0"):
        CondOT().convert(x, x, torch.zeros(2), source="noise", target="data")
    with pytest.raises(ValueError, match="sigma = 0"):
        CondOT().convert(x, x, torch.ones(2), source="data", target="noise")
    with pytest.raises(ValueError, match="slope is infinite"):
        VariancePreserving().convert(x, x, torch.ones(2), source="velocity", target="data")
    with pytest.raises(ValueError, match="do not fit"):
        CondOT().sample(x, x, torch.zeros(3))
    with pytest.raises(ValueError, match="no path 'vp'"):
        Path.of("vp")


@pytest.mark.parametrize("path", EVERY_PATH)
def test_the_time_of_a_noise_level(path: Path) -> None:
    t = torch.linspace(0.001, 0.999, 97, dtype=torch.float64)
    torch.testing.assert_close(path.time_of(path.ratio(t)), t, rtol=1e-9, atol=1e-12)
    beyond = path.time_of(torch.tensor([math.inf, 0.0], dtype=torch.float64))
    assert beyond.tolist() == [0.0, 1.0]


class Slow(Path):
    """A path of one's own, without derivatives."""

    power: float = 2.0

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        return t**self.power

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        return 1 - t


@torch.no_grad()
def test_a_path_of_ones_own_needs_alpha_and_sigma_only() -> None:
    path = Slow(power=3.0)
    t = torch.linspace(0.05, 0.95, 5, dtype=torch.float64)
    torch.testing.assert_close(path.d_alpha(t), 3 * t**2)
    torch.testing.assert_close(path.d_sigma(t), -torch.ones_like(t))
    x0, x1 = ends(0)
    point = path.sample(x0, x1, t)
    back = path.convert(point.velocity, point.x_t, t, source="velocity", target="data")
    torch.testing.assert_close(back, x1, rtol=1e-10, atol=1e-10)
    assert path == Slow(3.0) != Slow()


class Standing(Slow):
    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        return torch.where(t < 0.5, t, torch.full_like(t, 0.5))

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        return 1 - self.alpha(t)


class Negative(Slow):
    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        return t - 0.1


@given(st.data())
@pytest.mark.parametrize("name", [name for name, path in known("path").items() if path.proven])
def test_the_librarys_paths_rise_whatever_their_options(name: str, data: st.DataObject) -> None:
    """Which is why they are not tried when they are made."""
    options = {}
    for option in options_of(known("path")[name]).values():
        assert isinstance(option.reader, Number)
        bounds = option.reader.bounds
        least = 0.01 if bounds.least is None else bounds.least  # nearer to 0 a path is all data, or all noise
        options[option.name] = data.draw(st.floats(least, bounds.most), option.name)
    path = Path.of({"name": name, **options})
    assert path.proven
    path.require_rising()


def test_a_path_that_does_not_lead_to_the_data_is_refused_when_made() -> None:
    Slow(1.0)
    with pytest.raises(ValueError, match=r"Standing\(power=2.0\): alpha / sigma must rise strictly.*t = 0.501"):
        Standing()
    with pytest.raises(ValueError, match=r"alpha is -0\.1 at t = 0"):
        Negative()
    with pytest.raises(ValueError, match="sigma_max = 0"):
        Path.of({"name": "edm", "sigma_max": 0.0})
    with pytest.raises(ValueError, match="path 'polynomial' has no option 'm': it has n"):
        Path.of({"name": "polynomial", "m": 1})
    with pytest.raises(ValueError, match="alpha / sigma must rise strictly"):  # none of the data are left halfway
        Path.of({"name": "chain", "steps": 100_000, "beta_end": 0.9})


@given(ratio=st.floats(1e-4, 1e4))
@settings(deadline=None)
@pytest.mark.parametrize("path", EVERY_PATH)
def test_a_time_that_is_solved_for_is_the_one_that_is_found_by_bisection(path: Path, ratio: float) -> None:
    level = torch.tensor([ratio], dtype=torch.float64)
    torch.testing.assert_close(path.time_of(level), Path.time_of(path, level), rtol=1e-9, atol=1e-9)
