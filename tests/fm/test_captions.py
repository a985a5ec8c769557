"""Which caption a datum is seen under depends on seed and position alone, and all are seen as often."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from fm.captions import chosen, seen
from fm.noise import Draws

COUNTS = st.lists(st.integers(0, 2**20), min_size=1, max_size=9)


@settings(deadline=None)
@given(seed=st.integers(0, 2**63 - 1), first=st.integers(0, 2**62), counts=COUNTS)
def test_it_is_one_that_there_is_whatever_else_is_in_the_batch(seed: int, first: int, counts: list[int]) -> None:
    found = chosen(np.array(counts), Draws(seed, range(first, first + len(counts))))
    assert all(0 <= one < count or (one, count) == (-1, 0) for one, count in zip(found, counts, strict=True))
    alone = [chosen(np.array([count]), Draws(seed, [first + place]))[0] for place, count in enumerate(counts)]
    assert found.tolist() == alone


def test_all_captions_are_seen_as_often() -> None:
    found = chosen(np.full(300_000, 5), Draws(seed=0, positions=range(300_000)))
    assert chisquare(np.bincount(found, minlength=5)).pvalue > 0.01
    again = chosen(np.full(300_000, 5), Draws(seed=1, positions=range(300_000)))
    assert 0.195 < (found == again).mean() < 0.205


def test_another_visit_sees_another_caption() -> None:
    texts = np.array(["a red shoe\na shoe\nleft and red", "the only one", ""], dtype=object)
    visits = [seen(texts, Draws(seed=3, positions=range(first, first + 3))) for first in range(0, 300, 3)]
    assert {visit[0] for visit in visits} == {"a red shoe", "a shoe", "left and red"}
    assert {tuple(visit[1:]) for visit in visits} == {("the only one", "")}
    assert visits[7] == seen(texts, Draws(seed=3, positions=range(21, 24)))
