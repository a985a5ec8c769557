"""Captions come back as they were stored, whatever is in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm.data.captions import Packed, as_lines, of_lines

LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1, max_size=12)


@given(st.lists(st.lists(LINES, max_size=3), max_size=6), st.data())
def test_what_is_packed_is_unpacked_in_any_order(captions: list[list[str]], data: st.DataObject) -> None:
    packed = Packed.of(as_lines(one) for one in captions)
    assert len(packed) == len(captions)
    rows = data.draw(st.lists(st.integers(0, len(captions) - 1), max_size=9)) if captions else []
    found = packed[np.array(rows, dtype=np.int64)]
    assert [list(of_lines(text)) for text in found] == [captions[row] for row in rows]


@pytest.mark.parametrize("ends", [[3, 2, 6], [2, 4], [2, 7], []])
def test_ends_that_are_not_those_of_the_texts(ends: list[int]) -> None:
    with pytest.raises(ValueError, match="texts of 6 bytes do not end where they should"):
        Packed(np.frombuffer(b"abcdef", np.uint8), np.array(ends, dtype=np.int64))


@pytest.mark.parametrize("caption", ["", "two\nlines", "\udc80"])
def test_what_is_no_caption(caption: str) -> None:
    with pytest.raises(ValueError, match=r"a line with something in it|surrogates not allowed"):
        as_lines(["a red shoe", caption])
