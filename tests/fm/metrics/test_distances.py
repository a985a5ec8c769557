"""Distances against closed forms and clean-fid."""

import numpy as np
import pytest
from cleanfid.fid import frechet_distance as cleanfid_distance

from fm.metrics import frechet_distance, kernel_distance, precision_recall
from fm.metrics.distances import Moments, distance_limit, gaussian_distance, moments
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


def test_the_limit_for_many_samples_frees_the_distance_of_its_bias() -> None:
    """Sets of one distribution against its own moments: the distance is 0, what few samples show is not."""
    reference = Moments(np.zeros(8), np.eye(8))
    sets = [gaussian(seed, 200) for seed in range(100)]
    raw = [gaussian_distance(moments(one), reference) for one in sets]
    limits = [distance_limit(one, reference) for one in sets]
    assert np.mean(raw) > 0.1
    assert abs(np.mean(limits)) < 0.02


def test_there_is_no_limit_of_too_few_samples() -> None:
    assert distance_limit(gaussian(0, 17), Moments(np.zeros(8), np.eye(8))) is None
    assert distance_limit(gaussian(0, 18), Moments(np.zeros(8), np.eye(8))) is not None


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
            "limit": [distance_limit(one, reference) for one in sets],
            "raw": [gaussian_distance(moments(one), reference) for one in sets],
        }
        for name, values in figures.items():
            found = mean_interval(values, 0.95)
            covered[name] += found.low <= truth <= found.high
    assert 0.90 <= covered["limit"] / repetitions <= 0.99
    assert covered["raw"] / repetitions < 0.5
