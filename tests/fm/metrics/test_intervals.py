import numpy as np
import pytest

from fm.metrics.intervals import mean_interval


def test_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.normal(3.0, 1.0, 4)) for _ in range(2000)]
    covered = np.mean([one.low <= 3.0 <= one.high for one in intervals])
    assert covered == pytest.approx(0.95, abs=0.02)
    assert all(one.low <= one.mean <= one.high for one in intervals)


def test_one_value_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        mean_interval([1.0])
