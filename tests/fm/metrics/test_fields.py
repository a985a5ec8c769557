"""Fields whose spectrum, kurtosis and divergence are known."""

import numpy as np
import pytest

from fm.metrics.fields import divergence_residual, kurtosis, power_spectrum, slopes, spectrum_error
from fm.spectral import velocity_of

SIDE = 16
Y, X = np.mgrid[:SIDE, :SIDE] * 2 * np.pi / SIDE


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize(
    ("wave", "number"), [(np.sin(3 * X), 3), (np.sin(3 * Y), 3), (np.sin(3 * X - 4 * Y), 5), (np.sin(X + Y), 1)]
)
def test_a_wave_has_its_variance_at_its_number(wave: np.ndarray, number: int) -> None:
    power = power_spectrum(np.stack([[wave], [3 * wave]]))
    assert power[number - 1] == pytest.approx((0.5 + 4.5) / 2)
    assert power.sum() == pytest.approx(power[number - 1])


@pytest.mark.parametrize("side", [16, 17])
def test_all_numbers_together_have_the_variance_but_for_the_corners(side: int) -> None:
    fields = noise(200, 2, side, side)
    waves = np.hypot(*np.meshgrid(*[np.fft.fftfreq(side, 1 / side)] * 2))
    within = (np.rint(waves) <= side // 2).sum() - 1
    assert power_spectrum(fields).sum() == pytest.approx(2 * within / side**2, rel=0.02)
    assert power_spectrum(fields + 5).sum() == pytest.approx(power_spectrum(fields).sum())


def test_waves_are_counted_along_the_longest_side() -> None:
    power = power_spectrum(np.sin(3 * X[: SIDE // 2])[np.newaxis, np.newaxis])
    assert np.flatnonzero(power > 1e-9).tolist() == [2]
    assert power.shape == (SIDE // 2,)
    down = np.broadcast_to(np.sin(3 * Y[:, :1]), (SIDE, 4))
    assert np.flatnonzero(power_spectrum(down[np.newaxis, np.newaxis]) > 1e-9).tolist() == [2]


def test_an_error_is_told_in_decibels_and_decades() -> None:
    fields = noise(4, 1, SIDE, SIDE)
    of_data = power_spectrum(fields)
    apart = spectrum_error(power_spectrum(10 * fields), of_data)
    np.testing.assert_allclose(apart.decibels, 20)
    assert (apart.decades, apart.beyond) == (pytest.approx(2), 0)
    assert spectrum_error(of_data, of_data).decades == 0
    one_is_wrong = of_data * np.where(np.arange(SIDE // 2) == 2, 0.1, 1)
    assert spectrum_error(one_is_wrong, of_data).decades == pytest.approx(1 / 8)


def test_power_where_the_data_have_none_is_told_by_itself() -> None:
    of_data = power_spectrum(np.sin(2 * X)[np.newaxis, np.newaxis])
    apart = spectrum_error(power_spectrum((np.sin(2 * X) + np.sin(6 * Y))[np.newaxis, np.newaxis]), of_data)
    assert np.flatnonzero(np.isfinite(apart.decibels)).tolist() == [1]
    assert (apart.decades, apart.beyond) == (pytest.approx(0, abs=1e-9), pytest.approx(0.5))
    assert spectrum_error(0 * of_data, of_data).decades == np.inf
    with pytest.raises(ValueError, match="the data are constant"):
        spectrum_error(of_data, 0 * of_data)


def test_the_kurtosis_of_known_distributions() -> None:
    random = np.random.default_rng(0)
    values = np.stack([random.normal(5, 2, 400_000), random.uniform(0, 1, 400_000), random.laplace(size=400_000)])
    assert kurtosis(values.T) == pytest.approx([3, 1.8, 6], rel=0.02)


def test_the_kurtosis_is_of_each_channel() -> None:
    fields = np.stack([noise(50, 8, 8), noise(50, 8, 8) ** 3], axis=1)
    both = kurtosis(fields)
    assert both.shape == (2,)
    assert both[0] == pytest.approx(kurtosis(fields[:, :1])[0])
    assert both[1] > 2 * both[0]


def test_slopes_are_of_both_axes_and_of_edges_where_there_are_none() -> None:
    fields = np.stack([X, 2 * Y])[np.newaxis]
    step = 2 * np.pi / SIDE
    assert sorted(set(slopes(fields, periodic=False)[0, 0].round(9))) == [0, round(step, 9)]
    assert slopes(fields, periodic=False).shape == (1, 2, 2 * SIDE * (SIDE - 1))
    assert slopes(fields, periodic=True).shape == (1, 2, 2 * SIDE**2)
    assert slopes(fields, periodic=True)[0, 1].min() == pytest.approx(-2 * (SIDE - 1) * step)


def test_what_has_no_divergence_what_has_nothing_else_and_what_has_half() -> None:
    swirl = velocity_of(np.sin(2 * X + Y))
    source = np.stack([np.cos(2 * X + Y) * 2, np.cos(2 * X + Y)])
    both = swirl / np.linalg.norm(swirl) + source / np.linalg.norm(source)
    residuals = divergence_residual(np.stack([swirl, source, both, 7 * both]))
    assert residuals == pytest.approx([0, 1, 0.5**0.5, 0.5**0.5], abs=1e-9)
    assert divergence_residual(swirl[np.newaxis].astype(np.float32)) < 1e-6
