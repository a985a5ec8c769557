import itertools

import numpy as np
import pytest

from fm.metrics.captions.retrieval import found_at, ranks


def test_a_caption_that_is_as_similar_is_counted_before_ones_own() -> None:
    captions = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    pictures = np.array([[1, 0], [0, 1]], np.float32)
    assert ranks(pictures, captions, np.array([0, 2])).tolist() == [1, 0]


def test_chances_are_those_of_all_draws_of_others() -> None:
    captions, among, first = 7, 4, 2
    for rank in range(captions):
        draws = list(itertools.combinations(range(captions - 1), among - 1))
        expected = np.mean([sum(other < rank for other in others) < first for others in draws])
        assert found_at(np.array([rank]), first, among, captions)[0] == pytest.approx(expected)


def test_among_all_it_is_found_or_not() -> None:
    assert found_at(np.array([0, 4, 5]), 5, 20, 20).tolist() == [1, 1, 0]
    assert found_at(np.array([0, 1]), 1, 100, 3).tolist() == [1, 0]
