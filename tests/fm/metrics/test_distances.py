"""Distances against closed forms and clean-fid."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from cleanfid.fid import frechet_distance as cleanfid_distance

from fm.metrics import distances, frechet_distance, kernel_distance, precision_recall
from fm.metrics.distances import Moments, distances_at_infinity, gaussian_distance, moments, nearest, pooled
from fm.metrics.intervals import mean_interval


def gaussian(seed: int, count: int, mean: float = 0.0, deviation: float = 1.0, dimensions: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, deviation, (count, dimensions))


def test_frechet_distance_agrees_with_clean_fid() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(500, 16)) @ rng.normal(size=(16, 16))
    b = rng.normal(size=(400, 16)) @ rng.normal(size=(16, 16)) + 1
    expected = cleanfid_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_known_gaussians() -> None:
    """|m|^2 + D (s_a - s_b)^2 for isotropic Gaussians."""
    measured = frechet_distance(gaussian(0, 100_000), gaussian(1, 100_000, mean=0.5, deviation=2.0))
    assert measured == pytest.approx(8 * 0.25 + 8 * 1.0, rel=0.02)
    assert frechet_distance(gaussian(0, 100), gaussian(0, 100)) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_needs_more_samples_than_dimensions() -> None:
    with pytest.raises(ValueError, match="more samples than dimensions"):
        frechet_distance(gaussian(0, 8), gaussian(1, 100))


def test_kernel_distance_is_unbiased_and_sees_a_shift() -> None:
    equal = [kernel_distance(gaussian(seed, 200), gaussian(seed + 100, 200)) for seed in range(40)]
    error = np.std(equal, ddof=1) / len(equal) ** 0.5
    assert abs(np.mean(equal)) < 4 * error
    assert kernel_distance(gaussian(0, 200), gaussian(1, 200, mean=1.0)) > 20 * error


def whole_kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Binkowski et al. 2018, section 4, from whole matrices."""

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    n, m = len(a), len(b)
    within_a, within_b = (kernel(x, x).sum() - np.trace(kernel(x, x)) for x in (a, b))
    return within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * kernel(a, b).mean()


def whole_precision_recall(real: np.ndarray, generated: np.ndarray, k: int = 5) -> tuple[float, float]:
    """Kynkaanniemi et al. 2019, equation 1, from whole matrices."""

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))

    reach_of_real, reach_of_generated = (np.sort(between(x, x), axis=1)[:, k] for x in (real, generated))
    across = between(real, generated)
    is_real = (across <= reach_of_real[:, None]).any(axis=0)
    is_covered = (across <= reach_of_generated[None]).any(axis=1)
    return float(is_real.mean()), float(is_covered.mean())


@pytest.mark.parametrize(("count", "other"), [(64, 64), (130, 97), (65, 128)])
def test_block_by_block_they_are_what_they_are_as_a_whole(
    count: int, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distances, "BLOCK", 64)
    monkeypatch.setattr(distances, "CELLS", 10 * other)
    a, b = gaussian(0, count), gaussian(1, other, mean=0.3)
    assert kernel_distance(a, b) == pytest.approx(whole_kernel_distance(a, b), rel=1e-11, abs=1e-13)
    assert precision_recall(a, b) == whole_precision_recall(a, b)
    np.testing.assert_allclose(moments(a).covariance, np.cov(a, rowvar=False), rtol=1e-11, atol=1e-13)
    by_row = np.argsort(((a[:, None] - b[None]) ** 2).sum(axis=2), axis=1, kind="stable")
    assert np.array_equal(nearest(a, b, 3), by_row[:, :3])


def most_bytes(measure: Callable[..., object], count: int) -> int:
    """That are allocated at once while two sets of so many are measured, beside the sets themselves."""
    sets = [gaussian(seed, count).astype(np.float32) for seed in (0, 1)]
    tracemalloc.start()
    measure(*sets)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("measure", [kernel_distance, precision_recall, frechet_distance])
def test_memory_does_not_grow_with_the_number_of_samples(measure: Callable[..., object]) -> None:
    """A whole matrix of 5000 by 5000 has 200 MB."""
    few, many = (most_bytes(measure, count) for count in (2500, 5000))
    assert many < few + 5e6
    assert many < 70e6


def test_precision_and_recall_tell_quality_from_coverage() -> None:
    real = gaussian(0, 400, dimensions=2)
    narrow = gaussian(1, 400, deviation=0.3, dimensions=2)
    wide = gaussian(2, 400, deviation=3.0, dimensions=2)
    assert precision_recall(real, narrow)[0] > 0.95
    assert precision_recall(real, narrow)[1] < 0.6
    assert precision_recall(real, wide)[0] < 0.6
    assert precision_recall(real, wide)[1] > 0.9
    with pytest.raises(ValueError, match="no 5-th neighbour"):
        precision_recall(real[:5], wide)


DIMENSIONS = 64
STANDARD = Moments(np.zeros(DIMENSIONS), np.eye(DIMENSIONS))
TRUTH = DIMENSIONS * (0.1**2 + 0.083**2)


def four_sets(seed: int, count: int) -> list[np.ndarray]:
    """Of a distribution that is TRUTH away from the standard one, in so many dimensions that few samples mislead."""
    everything = gaussian(seed, 4 * count, mean=0.1, deviation=1 - 0.083, dimensions=DIMENSIONS)
    return np.split(everything, 4)


def from_halves(sets: list[np.ndarray]) -> float:
    """What each set and its halves lead to: the line through two distances in 1/N, which older figures stand on."""
    halves = [half for one in sets for half in np.split(one, 2)]
    whole, half = (np.mean([gaussian_distance(moments(one), STANDARD) for one in parts]) for parts in (sets, halves))
    return float(2 * whole - half)


@pytest.mark.parametrize(("count", "misled"), [(200, 0.47), (300, 0.83)])
def test_extrapolated_over_all_sets_the_distance_is_the_true_one(count: int, misled: float) -> None:
    """Within 0.03, where the sets' own distances are four to six times the truth and their halves lead astray; and
    with less scatter than by halves."""
    sets = [four_sets(seed, count) for seed in range(30)]
    found = [np.mean(distances_at_infinity(one, STANDARD)) for one in sets]
    halves = [from_halves(one) for one in sets]
    assert np.mean(found) == pytest.approx(TRUTH, abs=0.03)
    assert np.mean(halves) == pytest.approx(misled, abs=0.05)
    assert np.std(found) < np.std(halves)
    assert gaussian_distance(moments(sets[0][0]), STANDARD) > 4 * TRUTH


def test_pooled_moments_are_those_of_the_sets_in_one() -> None:
    sets = [gaussian(0, 20), gaussian(1, 30, mean=2.0), gaussian(2, 25, deviation=3.0)]
    found, expected = pooled([(len(one), moments(one)) for one in sets]), moments(np.concatenate(sets))
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-9, atol=1e-12)


def test_the_values_of_the_sets_follow_their_own_luck() -> None:
    """Samples that lie further away are felt in their own set's value alone."""
    sets = four_sets(0, 200)
    before = distances_at_infinity(sets, STANDARD)
    after = distances_at_infinity([sets[0] + 0.02, *sets[1:]], STANDARD)
    changed = np.abs(np.subtract(after, before))
    assert changed[0] > 10 * changed[1:].max()


def test_a_limit_needs_two_sets_with_more_samples_than_dimensions() -> None:
    reference = Moments(np.zeros(8), np.eye(8))
    with pytest.raises(ValueError, match="one set alone"):
        distances_at_infinity([gaussian(0, 100)], reference)
    with pytest.raises(ValueError, match="more samples than dimensions"):
        distances_at_infinity([gaussian(0, 8), gaussian(1, 8)], reference)


def test_intervals_over_sets_cover_the_true_distance_of_gaussians() -> None:
    """95% intervals from four sets, of the extrapolated distance: they hold the truth about as often as they say.

    Those of the raw distance mostly miss it: they cover another number.
    """
    reference, truth = Moments(np.zeros(16), np.eye(16)), 16 * 0.3**2 + 16 * (1.2 - 1) ** 2
    covered = {"limit": 0, "raw": 0}
    repetitions = 200
    for repetition in range(repetitions):
        sets = [gaussian(4 * repetition + k, 200, mean=0.3, deviation=1.2, dimensions=16) for k in range(4)]
        figures = {
            "limit": distances_at_infinity(sets, reference),
            "raw": [gaussian_distance(moments(one), reference) for one in sets],
        }
        for name, values in figures.items():
            found = mean_interval(values, 0.95)
            covered[name] += found.low <= truth <= found.high
    assert 0.90 <= covered["limit"] / repetitions <= 0.99
    assert covered["raw"] / repetitions < 0.5
