"""Scores of ensembles, held against what a normal distribution's are in closed form."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from fm.metrics.ensembles import crps, rank_histogram, spread_by_error, unevenness

MEMBERS, COUNT = 20, 20_000


def normal_crps(mean: float, deviation: float, truth: np.ndarray) -> np.ndarray:
    """Gneiting & Raftery 2007, section 4.2."""
    z = (truth - mean) / deviation
    found: np.ndarray = deviation * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi))
    return found


def drawn(mean: float, deviation: float, members: int = MEMBERS) -> np.ndarray:
    return np.random.default_rng(0).normal(mean, deviation, (members, COUNT))


TRUTH = np.random.default_rng(1).normal(size=COUNT)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.5, 1.0), (0.0, 0.3), (-1.0, 2.0)])
@pytest.mark.parametrize("members", [2, 20])
def test_the_score_of_normal_ensembles_is_the_normal_distributions(mean: float, deviation: float, members: int) -> None:
    """Whatever the number of members: so that more of them are not better for being more."""
    found = crps(drawn(mean, deviation, members), TRUTH)
    assert found.mean() == pytest.approx(normal_crps(mean, deviation, TRUTH).mean(), abs=0.015)


def test_it_is_what_its_definition_says() -> None:
    ensemble, truth = np.random.default_rng(2).normal(size=(5, 3, 4)), np.random.default_rng(3).normal(size=(3, 4))
    pairs = np.abs(ensemble[:, None] - ensemble).sum(axis=(0, 1)) / (2 * 5 * 4)
    np.testing.assert_allclose(crps(ensemble, truth), np.abs(ensemble - truth).mean(axis=0) - pairs)
    np.testing.assert_allclose(crps(ensemble[:1], truth), np.abs(ensemble[0] - truth))


def test_the_true_distribution_has_the_best_score() -> None:
    scores = {deviation: crps(drawn(0, deviation), TRUTH).mean() for deviation in (0.5, 1.0, 2.0)}
    assert min(scores, key=lambda deviation: scores[deviation]) == 1.0
    assert scores[1.0] == pytest.approx(1 / math.sqrt(math.pi), abs=0.01)


def test_ranks_are_flat_where_the_truth_could_be_a_member() -> None:
    histogram = rank_histogram(drawn(0, 1), TRUTH)
    assert histogram.shape == (MEMBERS + 1,)
    assert histogram.sum() == pytest.approx(COUNT)
    by_chance = math.sqrt(MEMBERS / (2 * math.pi * COUNT))
    assert unevenness(histogram) == pytest.approx(by_chance, rel=0.5)


def test_ranks_tell_what_is_wrong_with_an_ensemble() -> None:
    sure, unsure, low = (rank_histogram(drawn(*how), TRUTH) for how in ((0, 0.5), (0, 2), (-0.5, 1)))
    middle = MEMBERS // 2
    assert min(sure[0], sure[-1]) > 3 * sure[middle], "a valley"
    assert max(unsure[0], unsure[-1]) < unsure[middle] / 3, "a hill"
    assert low[-1] > 3 * low[0], "a slope"
    assert min(map(unevenness, (sure, unsure, low))) > 0.1


def test_the_ranks_of_a_normal_ensemble_of_one_are_known() -> None:
    """P(x < y) = Phi((mean_y - mean_x) / sqrt(2))."""
    histogram = rank_histogram(drawn(1.0, 1.0, members=1), TRUTH)
    assert histogram[1] / COUNT == pytest.approx(norm.cdf(-1 / math.sqrt(2)), abs=0.01)


def test_equal_members_share_a_truth() -> None:
    np.testing.assert_allclose(rank_histogram(np.zeros((3, 8)), np.zeros(8)), [2, 2, 2, 2])


def test_spread_is_held_against_the_error() -> None:
    assert spread_by_error(drawn(0, 1), TRUTH) == pytest.approx(1, abs=0.02)
    expected = math.sqrt(0.25 * (1 + 1 / MEMBERS) / (1 + 0.25 / MEMBERS))
    assert spread_by_error(drawn(0, 0.5), TRUTH) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("function", [crps, rank_histogram, spread_by_error])
def test_what_does_not_go_together_is_refused(function: object) -> None:
    for ensemble in (np.zeros((5, 3)), np.zeros((0, 4)), np.float64(0)):
        with pytest.raises(ValueError, match=r"an ensemble \(members, ...\) of \(4,\) is needed"):
            function(ensemble, np.zeros(4))  # type: ignore[operator]
    with pytest.raises(ValueError, match="has no spread"):
        spread_by_error(np.zeros((1, 4)), np.zeros(4))
