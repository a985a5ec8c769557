"""Distances against closed forms and clean-fid."""

import numpy as np
import pytest
from cleanfid.fid import frechet_distance as cleanfid_distance

from fm.metrics import frechet_distance, kernel_distance, precision_recall


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
