"""What of a plot is decided before it is drawn."""

import pytest

from pipelines.report.plots import apart


@pytest.mark.parametrize(
    ("counts", "first", "labelled"),
    [
        ([2, 4, 5, 10, 20, 50, 100], 10, {2, 4, 5, 10, 20, 50, 100}),
        ([2, 5, 9, 10, 20, 100], 10, {2, 5, 10, 20, 100}),
        ([2, 5, 9, 10, 20, 100], 50, {2, 5, 9, 20, 100}),
        ([5, 9, 10, 17, 20, 35, 50, 100], 10, {5, 10, 17, 35, 50, 100}),
        ([0.002, 0.006, 0.02], None, {0.002, 0.006, 0.02}),
        ([10], 10, {10}),
    ],
    ids=["enough room", "10 decides", "the lower one else", "17 beside 20", "learning rates", "one alone"],
)
def test_no_two_labels_touch(counts: list[float], first: float | None, labelled: set[float]) -> None:
    assert apart(counts, first) == labelled
