import numpy as np
import pytest

from fm.spectral import Waves, divergence_of, field_of, series_of, velocity_of, vorticity_of

Y, X = np.mgrid[:12, :16] * 2 * np.pi / np.array([12, 16])[:, np.newaxis, np.newaxis]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("shape", [(6, 8), (7, 9), (2, 6, 9)])
def test_a_series_gives_its_field_back(shape: tuple[int, ...]) -> None:
    field = noise(*shape)
    np.testing.assert_allclose(field_of(series_of(field), shape[-1]), field, atol=1e-14)


def test_derivatives_are_those_of_closed_forms() -> None:
    flow = np.stack([np.sin(3 * X) * np.cos(Y), np.cos(2 * X + Y)])
    grown = 3 * np.cos(3 * X) * np.cos(Y) - np.sin(2 * X + Y)
    turned = -2 * np.sin(2 * X + Y) + np.sin(3 * X) * np.sin(Y)
    np.testing.assert_allclose(divergence_of(flow), grown, atol=1e-13)
    np.testing.assert_allclose(vorticity_of(flow), turned, atol=1e-13)


def test_a_vorticity_and_its_velocity_belong_to_each_other() -> None:
    turned = np.sin(3 * X + 2 * Y) + np.cos(5 * Y)
    flow = velocity_of(np.stack([turned, 2 * turned]))
    assert flow.shape == (2, 2, 12, 16)
    np.testing.assert_allclose(vorticity_of(flow), [turned, 2 * turned], atol=1e-13)
    assert abs(divergence_of(flow)).max() < 1e-13
    assert abs(flow.mean(axis=(-1, -2))).max() < 1e-15


def test_the_wave_of_two_points_has_no_slope() -> None:
    two = np.cos(8 * X) + np.cos(6 * Y)
    assert abs(divergence_of(np.stack([two, two]))).max() < 1e-13
    assert Waves.on(12, 16).length[6, 8] == 10


def test_what_is_no_velocity_is_told() -> None:
    with pytest.raises(ValueError, match=r"a velocity is \(\.\.\., 2, H, W\), not \(3, 8, 8\)"):
        vorticity_of(noise(3, 8, 8))
