"""One figure of several trainings, each with the luck of its initialisation and of the sample sets."""

import math
from collections.abc import Iterable

import numpy as np
import pytest

from fm.metrics.intervals import Interval, mean_interval
from pipelines.claims.seeds import Figure, combine, from_logarithms, in_logarithms, jackknife

TRUTH = 0.3
SEEDS, SETS = 3, 4
REPETITIONS = 500


def trainings(random: np.random.Generator, luck_of_seeds: float, luck_of_sets: float, shared_sets: bool) -> np.ndarray:
    """What each training (row) gives in each sample set (column): what is true, the luck of the training, that of the
    set, and what both together make of it."""
    by_seed = random.normal(0, luck_of_seeds, (SEEDS, 1))
    by_set = random.normal(0, luck_of_sets, (1 if shared_sets else SEEDS, SETS))
    return TRUTH + by_seed + by_set + random.normal(0, 0.1, (SEEDS, SETS))


def figure(values: np.ndarray) -> Figure:
    found = mean_interval(list(values))
    return Figure(found.mean, found.low, found.high, list(values))


def intervals(luck_of_seeds: float, luck_of_sets: float, shared_sets: bool) -> list[tuple[Interval, Interval]]:
    """Of one study after the other: by `combine`, and by the scatter of the seeds alone."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(REPETITIONS):
        each = [figure(of_seed) for of_seed in trainings(random, luck_of_seeds, luck_of_sets, shared_sets)]
        found.append((combine(each, shared_sets), mean_interval([one.value for one in each])))
    return found


def covered(found: Iterable[Interval]) -> float:
    return float(np.mean([one.low <= TRUTH <= one.high for one in found]))


@pytest.mark.parametrize(("luck_of_seeds", "luck_of_sets"), [(0.1, 0.0), (0.0, 0.3), (0.1, 0.3), (0.3, 0.1)])
@pytest.mark.parametrize("shared_sets", [False, True])
def test_intervals_cover_the_truth_whatever_luck_there_is(
    luck_of_seeds: float, luck_of_sets: float, shared_sets: bool
) -> None:
    """With sets of each seed's own, and with the same ones for all. They may be wider than need be, not narrower."""
    assert covered(both for both, _ in intervals(luck_of_seeds, luck_of_sets, shared_sets)) > 0.93


def test_the_scatter_of_seeds_covers_the_truth_only_if_each_has_sets_of_its_own() -> None:
    assert covered(seeds for _, seeds in intervals(0.1, 0.3, shared_sets=False)) > 0.93
    assert covered(seeds for _, seeds in intervals(0.1, 0.3, shared_sets=True)) < 0.8


def test_sets_of_their_own_say_more() -> None:
    """Beside the same luck, three times as many sets."""
    own, shared = (
        np.median([both.high - both.low for both, _ in intervals(0.1, 0.3, shared)]) for shared in (False, True)
    )
    assert own < 0.9 * shared


def bound(value: float, high: float) -> Figure:
    return Figure(value, -math.inf, high)


@pytest.mark.parametrize("shared_sets", [False, True])
def test_upper_bounds_together_are_an_upper_bound(shared_sets: bool) -> None:
    """Three trainings that are each worse beyond doubt are worse beyond doubt together."""
    found = combine([bound(-0.9, -0.8), bound(-0.8, -0.75), bound(-0.85, -0.8)], shared_sets)
    assert found.low == -math.inf
    assert -0.85 < found.high < 0


@pytest.mark.parametrize("shared_sets", [False, True])
def test_findings_for_and_against_are_treated_alike(shared_sets: bool) -> None:
    against = [bound(-0.9, -0.8), Figure(-0.5, -0.7, -0.4), bound(-0.85, -0.8)]
    in_favour = [Figure(-one.value, -one.high, -one.low) for one in against]
    found, mirrored = combine(against, shared_sets), combine(in_favour, shared_sets)
    assert (mirrored.low, mirrored.high) == (pytest.approx(-found.high), math.inf)


def test_open_ends_stay_open_through_logarithms() -> None:
    one = in_logarithms(Figure(2.0, -math.inf, 4.0, [1.0, 4.0]))
    assert one == Figure(math.log(2), -math.inf, math.log(4), [0.0, math.log(4)])
    assert in_logarithms(Figure(2.0, 0.0, math.inf)) == Figure(math.log(2), -math.inf, math.inf, [])
    assert from_logarithms(Interval(0.0, -math.inf, math.log(4))) == (1.0, -math.inf, pytest.approx(4.0))


def test_the_jackknife_of_a_mean_is_its_t_interval() -> None:
    values = [1.0, 2.0, 4.0, 5.0]
    found = jackknife(lambda left_out: np.mean([v for k, v in enumerate(values) if k != left_out]).item(), 4)
    assert (found.value, found.low, found.high) == tuple(map(pytest.approx, mean_interval(values)))
    assert found.by_set == pytest.approx(values)
