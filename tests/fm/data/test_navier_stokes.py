"""The solver against flows that are known in closed form, and against what every flow keeps."""

from dataclasses import replace

import numpy as np
import pytest

from fm.data.navier_stokes import NavierStokes, random_vorticity
from fm.spectral import field_of, series_of, velocity_of

SIDE = 32
Y, X = np.mgrid[:SIDE, :SIDE] * 2 * np.pi / SIDE
FLUID = NavierStokes(SIDE, viscosity=0.01)


def energy(vorticity: np.ndarray) -> float:
    return float((velocity_of(vorticity) ** 2).sum(axis=0).mean() / 2)


def enstrophy(vorticity: np.ndarray) -> float:
    return float((vorticity**2).mean() / 2)


def palinstrophy(vorticity: np.ndarray) -> float:
    steepness = series_of(vorticity) * 1j
    waves = np.fft.fftfreq(SIDE, 1 / SIDE)
    slopes = [field_of(steepness * waves[:, None], SIDE), field_of(steepness * abs(waves[: SIDE // 2 + 1]), SIDE)]
    return float(sum((slope**2).mean() for slope in slopes) / 2)


@pytest.mark.parametrize("drag", [0.0, 0.2])
def test_taylor_and_greens_vortices_only_fade(drag: float) -> None:
    vortices = np.cos(3 * X) * np.cos(3 * Y)
    later = replace(FLUID, drag=drag).after(vortices, time=2.0)
    np.testing.assert_allclose(later, vortices * np.exp(-(2 * 9 * 0.01 + drag) * 2.0), atol=1e-12)


def test_kolmogorovs_flow_comes_to_where_force_and_losses_are_equal() -> None:
    fluid = NavierStokes(SIDE, viscosity=0.02, drag=0.1, force=0.3, force_wave=2)
    loss = 0.02 * 4 + 0.1
    still = -2 * 0.3 / loss * np.cos(2 * Y)
    for time in (0.5, 20.0):
        later = fluid.after(np.zeros((SIDE, SIDE)), time)
        np.testing.assert_allclose(later, still * (1 - np.exp(-loss * time)), atol=1e-6)


def test_a_wave_too_short_to_be_computed_is_taken_out() -> None:
    later = FLUID.after(np.cos(X) + np.cos(12 * Y), time=0.02)
    np.testing.assert_allclose(later, np.cos(X) * np.exp(-0.01 * 0.02), atol=1e-12)


def test_without_viscosity_energy_and_enstrophy_stay() -> None:
    start = random_vorticity(SIDE, seed=0, number=0)
    later = NavierStokes(SIDE, viscosity=0.0, step=0.002).after(start, time=0.5)
    assert abs(later - start).max() > 1
    assert energy(later) == pytest.approx(energy(start), rel=1e-8)
    assert enstrophy(later) == pytest.approx(enstrophy(start), rel=1e-8)


def test_energy_and_enstrophy_are_lost_at_the_rates_of_the_equation() -> None:
    """dE/dt = -2 viscosity Z - 2 drag E and dZ/dt = -2 viscosity P - 2 drag Z, by Simpson's rule."""
    fluid = replace(FLUID, drag=0.1, step=0.005)
    flows = [random_vorticity(SIDE, seed=0, number=1)]
    for _ in range(20):
        flows.append(fluid.after(flows[-1], time=0.01))
    weights = np.array([1, *[4, 2] * 9, 4, 1]) * 0.01 / 3
    of_energy = [2 * 0.01 * enstrophy(flow) + 2 * 0.1 * energy(flow) for flow in flows]
    of_enstrophy = [2 * 0.01 * palinstrophy(flow) + 2 * 0.1 * enstrophy(flow) for flow in flows]
    assert energy(flows[0]) - energy(flows[-1]) == pytest.approx(weights @ of_energy, rel=1e-6)
    assert enstrophy(flows[0]) - enstrophy(flows[-1]) == pytest.approx(weights @ of_enstrophy, rel=1e-6)


def test_the_error_falls_as_the_fourth_power_of_the_step() -> None:
    start = random_vorticity(SIDE, seed=0, number=2)
    exact = replace(FLUID, step=0.005).after(start, time=0.4)
    coarse, fine = (abs(replace(FLUID, step=step).after(start, time=0.4) - exact).max() for step in (0.04, 0.02))
    assert 12 < coarse / fine < 20


def test_several_at_once_are_each_alone() -> None:
    starts = np.stack([random_vorticity(SIDE, seed=3, number=number) for number in range(3)])
    np.testing.assert_allclose(FLUID.after(starts, 0.1)[1], FLUID.after(starts[1], 0.1), atol=1e-12)


def test_steps_that_are_too_long_are_told() -> None:
    with pytest.raises(FloatingPointError):
        replace(FLUID, step=1.0).after(100 * random_vorticity(SIDE, seed=0, number=0), time=50.0)


def test_beginnings_have_the_energy_and_the_spectrum_that_they_say() -> None:
    starts = np.stack([random_vorticity(64, seed=5, number=number) for number in range(60)])
    assert [energy(start) for start in starts] == pytest.approx([0.5] * 60)
    of_waves = (abs(np.fft.fft2(velocity_of(starts))) ** 2).mean(axis=0).sum(axis=0)
    length = np.hypot(*np.meshgrid(*[np.fft.fftfreq(64, 1 / 64)] * 2))
    numbers = np.arange(3, 20)
    of_each = np.array([of_waves[abs(length - number) <= 0.5].mean() for number in numbers])
    assert np.ptp(np.log10(of_each * (1 + (numbers / 5) ** 4))) < 0.1, "a ring has 2 pi k waves"
    assert of_waves[length > 64 / 3].max() < 1e-20 * of_waves.max()
