import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.claims.learning_rates import good_rates


@given(st.lists(st.floats(1, 100), min_size=1, max_size=6), st.floats(0.1, 10))
def test_good_rates_lie_within_the_grid_whatever_the_scale(distances: list[float], scale: float) -> None:
    grid = {10.0**-k: distance for k, distance in enumerate(distances)}
    found = good_rates(grid)
    assert 0 <= found.decades <= len(distances) - 1 + 1e-9
    scaled = good_rates({rate: scale * one for rate, one in grid.items()})
    assert math.isclose(scaled.decades, found.decades, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("distances", "decades", "cut_off", "best_at_edge"),
    [
        ([12.1, 10, 12.1], 1.0, False, False),
        ([10, 12.1, 50], 0.5, True, True),
        ([50, 12.1, 10], 0.5, True, True),
        ([10.5, 10, 12.1], 1.5, True, False),
        ([12.1, 10, 10, 10.5], 2.5, True, False),
    ],
)
def test_the_grids_end_cuts_the_good_rates_off(
    distances: list[float], decades: float, cut_off: bool, best_at_edge: bool
) -> None:
    found = good_rates({10.0**k: distance for k, distance in enumerate(distances)})
    assert found.decades == pytest.approx(decades)
    assert (found.cut_off, found.best_at_edge) == (cut_off, best_at_edge)
    assert str(found).startswith("at least") == cut_off
