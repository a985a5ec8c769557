"""Verdicts from made-up intervals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.claims.claim import verdict
from pipelines.claims.table import CLAIMS

UP = [
    # low, high, null, threshold, verdict
    (5.0, 6.0, 1, 5, "reproduced"),
    (7.0, 9.0, 1, 5, "reproduced"),
    (4.9, 9.0, 1, 5, "partly"),
    (1.1, 1.2, 1, 5, "partly"),
    (1.0, 9.0, 1, 5, "inconclusive"),
    (0.5, 1.5, 1, 5, "inconclusive"),
    (0.5, 1.0, 1, 5, "not_reproduced"),
    (0.1, 0.2, 1, 5, "not_reproduced"),
    (1.0, 1.0, 1, 1, "not_reproduced"),  # a threshold that is the null value has to be passed, not reached
    (1.0, 2.0, 1, 1, "inconclusive"),
    (1.01, 2.0, 1, 1, "reproduced"),
    (-0.2, -0.1, 0, 0, "not_reproduced"),
    (0.1, 0.2, 0, 0, "reproduced"),
    (10.0, 11.0, None, 10, "reproduced"),
    (9.0, 11.0, None, 10, "inconclusive"),
    (8.0, 9.0, None, 10, "not_reproduced"),
    (5.0, math.inf, 1, 5, "reproduced"),
    (2.0, math.inf, 1, 5, "partly"),
    (-math.inf, 0.9, 1, 5, "not_reproduced"),
    (-math.inf, 6.0, 1, 5, "inconclusive"),
    (-math.inf, math.inf, 1, 5, "inconclusive"),
    (-math.inf, 9.0, None, 10, "not_reproduced"),
    (-math.inf, math.inf, None, 10, "inconclusive"),
]

EQUAL = [
    (0.98, 1.02, 1, 0.03, "reproduced"),
    (0.75, 1.25, 1, 0.25, "reproduced"),
    (0.96, 1.02, 1, 0.03, "inconclusive"),
    (0.50, 1.50, 1, 0.03, "inconclusive"),
    (1.04, 1.50, 1, 0.03, "not_reproduced"),
    (0.50, 0.96, 1, 0.03, "not_reproduced"),
    (0.0, 0.0, None, 0, "reproduced"),
    (3.0, 3.0, None, 0, "not_reproduced"),
    (0.0, 3.0, None, 0, "inconclusive"),
    (1e-9, 1e-6, None, 1e-3, "reproduced"),
    (-math.inf, math.inf, 1, 0.03, "inconclusive"),
]


@pytest.mark.parametrize(("low", "high", "null", "threshold", "expected"), UP)
def test_verdict_of_a_claim_of_more(low: float, high: float, null: float | None, threshold: float, expected: str):
    assert verdict(low, high, "up", null, threshold) == expected


@pytest.mark.parametrize(("low", "high", "null", "threshold", "expected"), EQUAL)
def test_verdict_of_an_equality(low: float, high: float, null: float | None, threshold: float, expected: str):
    assert verdict(low, high, "equal", null, threshold) == expected


@pytest.mark.parametrize("definition", CLAIMS, ids=lambda definition: definition.id)
def test_nothing_measured_is_no_verdict(definition):
    assert definition.verdict(None, None) == "not_measured"


@pytest.mark.parametrize(("low", "high"), [(1.0, None), (None, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.nan)])
def test_half_an_interval_is_a_mistake(low: float | None, high: float | None):
    with pytest.raises(ValueError, match="not an interval"):
        verdict(low, high, "up", 0, 1)


finite = st.floats(-1e6, 1e6)
ends = st.tuples(finite, finite).map(sorted)


@given(ends, finite, st.floats(0, 1e6))
def test_a_verdict_says_what_the_whole_interval_says(interval: list[float], null: float, more: float):
    low, high = interval
    threshold = null + more
    match verdict(low, high, "up", null, threshold):
        case "reproduced":
            assert low >= threshold
            assert low > null
        case "partly":
            assert null < low < threshold
        case "not_reproduced":
            assert high <= null
        case "inconclusive":
            assert low <= null < high
        case other:
            pytest.fail(other)


@given(ends, finite, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_wider_interval_never_decides_against_a_narrower_one(interval, null, margin, wider):
    low, high = interval
    inside = verdict(low, high, "equal", null, margin)
    around = verdict(low - wider, high + wider, "equal", null, margin)
    assert around in (inside, "inconclusive")


@given(ends, finite, st.floats(0, 1e6))
def test_raising_a_claim_reproduces_no_more_of_it(interval, null, more):
    low, high = interval
    if verdict(low, high, "up", null, null + more) == "reproduced":
        assert verdict(low, high, "up", null, null) == "reproduced"
