"""Samplers on Gaussian paths against closed forms and the papers' own formulas."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fm.grids import Grid
from fm.paths import DDPM, EDM, CondOT, Cosine, Ends, Path, VariancePreserving, like
from fm.solvers import gaussian, solve
from fm.solvers.gaussian import DDIM, DPMSolver, Gaussian, churned, clipped, posterior_deviation
from fm.solvers.unipc import UniPC
from tests.fm.gaussian_data import DEVIATION, MEAN, ends_of, flow_of, start, velocity_of

STRAIGHT = CondOT()
Sampler = Callable[..., Gaussian]


def uniform(steps: int, t0: float = 0.0, t1: float = 1.0) -> Tensor:
    return torch.linspace(t0, t1, steps + 1, dtype=torch.float64)


@pytest.mark.parametrize("steps", [1, 7, 50])
def test_ddim_on_the_straight_path_is_eulers_method(steps: int) -> None:
    sampled = DDIM()(ends_of(STRAIGHT), STRAIGHT, start(), uniform(steps))
    euler = solve(velocity_of(STRAIGHT), start(), "euler", steps).x1
    torch.testing.assert_close(sampled, euler, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("path", [DDPM(), VariancePreserving(), Cosine(), CondOT()])
def test_ddim_converges_to_the_data(path: Path) -> None:
    ended = DDIM()(ends_of(path), path, start(), uniform(500))
    torch.testing.assert_close(ended, MEAN + DEVIATION * start(), rtol=0, atol=0.01)


def test_ddim_is_song_et_al_equation_12() -> None:
    """x' = sqrt(a') (x - sqrt(1 - a) e) / sqrt(a) + sqrt(1 - a') e for a network that always says e."""
    path, noise = DDPM(), torch.full((9, 1), 0.7, dtype=torch.float64)
    a = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)[[999, 799, 599, 399, 199]]
    x = start()
    for now, then in zip(a, [*a[1:], torch.tensor(1.0, dtype=torch.float64)], strict=True):
        x = then.sqrt() * (x - (1 - now).sqrt() * noise) / now.sqrt() + (1 - then).sqrt() * noise

    def ends(x: Tensor, t: Tensor) -> Ends:
        return path.ends(noise, x, t, "noise")

    torch.testing.assert_close(DDIM()(ends, path, start(), uniform(5)), x, rtol=1e-9, atol=1e-9)


def test_posterior_deviation_is_ho_et_al_equation_7() -> None:
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    a = torch.cumprod(1 - betas, 0)
    k = torch.tensor([10, 500, 1000])
    expected = ((1 - a[k - 2]) / (1 - a[k - 1]) * betas[k - 1]).sqrt()
    actual = posterior_deviation(DDPM(), 1 - k.double() / 1000, 1 - (k.double() - 1) / 1000)
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=0)


def drawing(seed: int, count: int) -> tuple[Tensor, object]:
    generator = torch.Generator().manual_seed(seed)

    def fresh() -> Tensor:
        return torch.randn(count, 1, generator=generator, dtype=torch.float64)

    return fresh(), fresh


@pytest.mark.parametrize("path", [DDPM(), CondOT(), Cosine()])
@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_stochastic_sampling_gives_the_datas_distribution(path: Path, eta: float) -> None:
    x0, fresh = drawing(0, 20_000)
    ended = DDIM(eta=eta)(ends_of(path), path, x0, uniform(1000), fresh)
    assert float(ended.mean()) == pytest.approx(MEAN, abs=0.01)
    assert float(ended.std()) == pytest.approx(DEVIATION, abs=0.01)
    kept = abs(float(torch.corrcoef(torch.stack([x0[:, 0], ended[:, 0]]))[0, 1]))
    assert kept < 0.1 if eta == 1 else 0.05 < kept < 0.99


@pytest.mark.parametrize("path", [DDPM(), CondOT(), EDM()])
def test_churned_sampling_gives_the_datas_distribution(path: Path) -> None:
    noise, fresh = drawing(0, 20_000)
    times = Grid.of("edm")(path, 100, *path.interval)
    x = float(path.sigma(times[0])) * noise
    still = gaussian.EDM()(ends_of(path), path, x, times)
    moved = gaussian.EDM(churn=30)(ends_of(path), path, x, times, fresh)
    for ended in (still, moved):
        assert float(ended.mean()) == pytest.approx(MEAN, abs=0.02)
        assert float(ended.std()) == pytest.approx(DEVIATION, abs=0.01)
    assert float((still - moved).abs().mean()) > 0.05


def test_churn_adds_the_noise_that_is_missing() -> None:
    """x_t of data m is N(alpha m, sigma^2) before and after, at the earlier time."""
    noise, fresh = drawing(1, 50_000)
    t = torch.tensor(0.7, dtype=torch.float64)
    x = CondOT().alpha(t) * 2.0 + CondOT().sigma(t) * noise
    x, earlier = churned(CondOT(), x, t, 0.3, fresh())
    assert float(earlier) < 0.7
    assert float(x.mean()) == pytest.approx(2 * float(earlier), abs=0.01)
    assert float(x.std()) == pytest.approx(1 - float(earlier), rel=0.01)


def test_dpm_solver_is_of_second_order_and_ddim_of_first() -> None:
    path = VariancePreserving()
    exact = flow_of(path, start(), 0.1, 0.99)
    for sampler, order in ((DDIM, 1), (DPMSolver, 2)):
        errors = [
            float((sampler()(ends_of(path), path, start(), uniform(steps, 0.1, 0.99)) - exact).abs().max())
            for steps in (200, 400)
        ]
        assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15), sampler


@pytest.mark.parametrize("path", [CondOT(), VariancePreserving(), Cosine()])
def test_first_step_of_dpm_solver_is_ddims(path: Path) -> None:
    for times in (uniform(1), uniform(1, 0.2, 0.8)):
        expected = DDIM()(ends_of(path), path, start(), times)
        torch.testing.assert_close(DPMSolver()(ends_of(path), path, start(), times), expected, rtol=1e-12, atol=1e-12)


def test_edm_is_heuns_method_in_the_noise_level() -> None:
    """On EDM's own path, and up to the last step, which is Euler's and costs one call."""
    path, calls = EDM(), []
    times = Grid.of("edm")(path, 6, 0.0, 1.0)

    def ends(x: Tensor, t: Tensor) -> Ends:
        calls.append(t)
        return ends_of(path)(x, t)

    sampled = gaussian.EDM()(ends, path, 80 * start(), times)
    assert len(calls) == 2 * 6 - 1
    heun = solve(velocity_of(path), 80 * start(), "heun", times=times[:-1]).x1
    euler = solve(velocity_of(path), heun, "euler", times=times[-2:]).x1
    torch.testing.assert_close(sampled, euler, rtol=1e-10, atol=1e-10)


def test_edm_converges_at_second_order_on_any_path() -> None:
    for path in (DDPM(), CondOT(), EDM()):
        exact = flow_of(path, start(), 0.2, 0.9)
        errors = [
            float((gaussian.EDM()(ends_of(path), path, start(), uniform(steps, 0.2, 0.9)) - exact).abs().max())
            for steps in (50, 100)
        ]
        assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2), path


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(ValueError, match="source of noise"):
        gaussian.DDPM()(ends_of(STRAIGHT), STRAIGHT, start(), uniform(2))
    with pytest.raises(ValueError, match="must start where alpha > 0"):
        gaussian.EDM()(ends_of(STRAIGHT), STRAIGHT, start(), uniform(2))


@pytest.mark.parametrize("sampler", [DDIM, DPMSolver, UniPC])
def test_float32_is_raised_from_less_and_float64_kept(sampler: Sampler) -> None:
    for dtype, expected in ((torch.float64, torch.float64), (torch.bfloat16, torch.float32)):
        ended = sampler()(ends_of(STRAIGHT), STRAIGHT, start(dtype), uniform(3))
        assert ended.dtype == expected


@given(
    inner=st.lists(st.floats(0.11, 0.98), max_size=6, unique_by=lambda t: round(t, 2)),
    path=st.sampled_from([CondOT(), DDPM(), EDM(), Cosine()]),
    sampler=st.sampled_from([DDIM, DPMSolver, UniPC, gaussian.EDM]),
)
@settings(max_examples=100, deadline=None)
def test_a_perfect_prediction_arrives_whatever_the_grid(inner: list[float], path: Path, sampler: Sampler) -> None:
    x1 = torch.full((9, 1), 0.25, dtype=torch.float64)
    times = torch.tensor([0.1, *sorted(inner), 1.0], dtype=torch.float64)
    x = path.alpha(times[0]) * x1 + path.sigma(times[0]) * start()

    def ends(x: Tensor, t: Tensor) -> Ends:
        return Ends((x - path.alpha(like(t, x)) * x1) / path.sigma(like(t, x)), x1)

    torch.testing.assert_close(sampler()(ends, path, x, times), x1, rtol=1e-9, atol=1e-9)


@given(inner=st.lists(st.floats(0.01, 0.99), max_size=8, unique_by=lambda t: round(t, 3)))
@settings(max_examples=50, deadline=None)
def test_ddim_on_the_straight_path_is_eulers_method_on_any_grid(inner: list[float]) -> None:
    times = torch.tensor([0.0, *sorted(inner), 1.0], dtype=torch.float64)
    sampled = DDIM()(ends_of(STRAIGHT), STRAIGHT, start(), times)
    euler = solve(velocity_of(STRAIGHT), start(), "euler", times=times).x1
    torch.testing.assert_close(sampled, euler, rtol=1e-12, atol=1e-12)


def wild(x: Tensor, t: Tensor) -> Ends:
    """Data far out of range, where the noise says so."""
    return DDPM().ends(3 * torch.sin(5 * x), x, t, "noise")


@pytest.mark.parametrize("sampler", [DDIM, DPMSolver, UniPC])
def test_clipped_data_end_in_range(sampler: Sampler) -> None:
    free = sampler()(wild, DDPM(), start(), uniform(10))
    kept = sampler(clip=0.5)(wild, DDPM(), start(), uniform(10))
    assert float(free.abs().max()) > 1
    assert float(kept.abs().max()) <= 0.5 + (0 if sampler is DDIM else 0.5)  # what 2M extrapolates is not clipped


def test_noise_makes_up_for_clipped_data() -> None:
    x, t = start(), torch.full((len(start()),), 0.3, dtype=torch.float64)
    noise, data = clipped(wild, DDPM(), 0.5)(x, t)
    assert float(data.abs().max()) <= 0.5
    torch.testing.assert_close(like(DDPM().alpha(t), x) * data + like(DDPM().sigma(t), x) * noise, x)


@pytest.mark.parametrize("sampler", [DDIM, DPMSolver, UniPC])
def test_a_bound_that_nothing_reaches_changes_nothing(sampler: Sampler) -> None:
    path = VariancePreserving()
    expected = sampler()(ends_of(path), path, start(), uniform(10, 0.1, 0.99))
    found = sampler(clip=1e6)(ends_of(path), path, start(), uniform(10, 0.1, 0.99))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_the_bound_of_a_codec_is_told_to_whoever_clips_to_it() -> None:
    asked = DDIM(clip="codec", eta=0.5)
    assert asked.bounded(0.5) == DDIM(clip=0.5, eta=0.5)
    assert asked.bounded(None) == DDIM(eta=0.5)
    assert DDIM(clip=2.0).bounded(0.5) == DDIM(clip=2.0)
    assert gaussian.EDM().bounded(0.5) == gaussian.EDM()
    with pytest.raises(ValueError, match="solver 'ddim': clip = codec: the codec's bound is not known"):
        DDIM(clip="codec")(ends_of(STRAIGHT), STRAIGHT, start(), uniform(2))
