"""What of a plot is decided before it is drawn."""

import pytest

from pipelines.report.plots import apart


@pytest.mark.parametrize(
    ("counts", "first", "labelled"),
    [
        ([2, 4, 5, 10, 20, 50, 100], 10, {2, 4, 5, 10, 20, 50, 100}),
        ([2, 5, 9, 10, 20, 100], 10, {2, 5, 10, 20, 100}),
        ([2, 5, 9, 10, 20, 100], 50, {2, 5, 9, 20, 100}),
        ([10], 10, {10}),
    ],
    ids=["enough room", "9 beside 10, where 10 decides", "the lower one else", "one alone"],
)
def test_no_two_labels_of_evaluations_touch(counts: list[int], first: int, labelled: set[int]) -> None:
    assert apart(counts, first) == labelled
