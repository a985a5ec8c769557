import numpy as np
import pytest

from fm.data.resampling import around_the_middle, over, resampled


def ramp(length: int) -> np.ndarray:
    return np.arange(length, dtype=np.float64)


def test_as_many_points_are_the_points_themselves() -> None:
    values = np.random.default_rng(0).normal(size=(5, 6, 7))
    same = resampled(values, [over(length, length) for length in values.shape])
    np.testing.assert_array_equal(same, values.astype(np.float32))


@pytest.mark.parametrize(("length", "count"), [(32, 8), (8, 32), (30, 10)])
def test_a_straight_line_stays_one_away_from_its_ends(length: int, count: int) -> None:
    axis = over(length, count)
    made = resampled(ramp(length), [axis])
    places = axis.first + axis.step * np.arange(count)
    inner = (places > axis.step) & (places < length - 1 - axis.step)
    np.testing.assert_allclose(made[inner], places[inner], rtol=1e-5)
    assert made.min() >= 0
    assert made.max() <= length - 1


def test_what_is_finer_than_the_new_points_is_not_folded_into_them() -> None:
    waves = np.tile([1.0, -1.0], 32)
    assert np.abs(resampled(waves, [over(64, 16)])[1:-1]).max() < 1e-6


def test_constant_values_stay_constant_whatever_the_axes() -> None:
    made = resampled(np.full((9, 5), 7.0), [over(9, 4), over(5, 11)])
    np.testing.assert_allclose(made, 7, rtol=1e-6)


def test_the_middle_at_another_step_and_nothing_outside() -> None:
    cut = resampled(ramp(9), [around_the_middle(9, 3, step=1.0)])
    np.testing.assert_allclose(cut, [3, 4, 5])
    wide = resampled(ramp(3), [around_the_middle(3, 7, step=1.0)], outside=-5)
    np.testing.assert_allclose(wide, [-5, -5, 0, 1, 2, -5, -5])


def test_classes_are_not_mixed() -> None:
    classes = np.array([0, 0, 0, 7, 7, 7, 3, 3, 3])
    assert resampled(classes, [over(9, 3)], nearest=True).tolist() == [0, 7, 3]
    assert set(resampled(classes, [over(9, 20)], nearest=True).tolist()) == {0, 7, 3}
