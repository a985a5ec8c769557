"""What is no caption is said, and no picture is lost for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm.data.caption_reading import (
    EMPTY,
    EXAMPLES,
    LONG,
    MOST_BYTES,
    MOST_CHARACTERS,
    NONE,
    NOT_TEXT,
    NOT_UTF8,
    Fault,
    Said,
    has_captions,
    of_images,
    said,
    said_in_file,
    summed,
)
from fm.data.captions import as_lines, of_lines

ANYTHING = st.none() | st.text() | st.binary() | st.integers() | st.floats() | st.text(st.characters(categories=["Cs"]))


@given(st.lists(ANYTHING | st.lists(ANYTHING), max_size=5))
def test_whatever_is_read_can_be_stored_and_each_value_is_a_caption_or_a_fault(values: list[object]) -> None:
    found = said(values)
    assert of_lines(as_lines(found.captions)) == found.captions
    flat = [one for value in values for one in (value if isinstance(value, list) else [value]) if one is not None]
    assert len(found.captions) + len(found.faults) <= len(flat)
    assert bool(flat) == bool(found.captions or found.faults)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (" \n\t", EMPTY),
        (b"", EMPTY),
        (b"caf\xe9", NOT_UTF8),
        ("caf\udce9", NOT_UTF8),
        ("a" * (MOST_CHARACTERS + 1), LONG),
        (5, NOT_TEXT),
        ({"en": "a shoe"}, NOT_TEXT),
        ([["a shoe"]], NOT_TEXT),
    ],
)
def test_what_is_no_caption_is_said_and_the_others_stay(value: object, reason: str) -> None:
    assert said(["a red shoe", value, "a shoe"]) == Said(("a red shoe", "a shoe"), (reason,))


def test_the_longest_caption_and_blanks() -> None:
    assert said(["a" * MOST_CHARACTERS]).captions == ("a" * MOST_CHARACTERS,)
    assert said(["  a\u00a0red\r\n shoe\t"]).captions == ("a red shoe",)


def test_a_text_file_has_a_caption_a_line() -> None:
    assert said_in_file("\ufeffein Schuh\r\n\r\nчерный туфель\rchaussure".encode()).captions == (
        "ein Schuh",
        "черный туфель",
        "chaussure",
    )
    assert said_in_file(b" \n\n") == Said(faults=(EMPTY,))
    assert said_in_file("a shoe".encode("utf-16")) == Said(faults=(NOT_UTF8,))
    assert said_in_file(b"a\n" * (MOST_BYTES // 2 + 1)) == Said(faults=(LONG,))


@pytest.mark.parametrize("name", ["text", "TEXT", "caption", "captions", "caption_0", "text2", "prompt", "sentences"])
def test_columns_of_captions(name: str) -> None:
    assert has_captions(name)


@pytest.mark.parametrize("name", ["file_name", "label", "text_score", "caption_url", "context", "", None])
def test_other_columns(name: object) -> None:
    assert not has_captions(name)


def test_an_image_is_counted_for_its_fault_or_for_having_no_caption() -> None:
    images = [("a.png", 2, ()), ("b.png", 0, ()), ("c.png", 0, (EMPTY,)), ("d.png", 1, (LONG, LONG))]
    found = [("c.png", EMPTY), ("d.png", LONG), ("d.png", LONG)]
    assert [(one.place, one.reason) for one in of_images(images, missing=False)] == found
    assert [(one.place, one.reason) for one in of_images(images, missing=True)] == [("b.png", NONE), *found]


@given(st.lists(st.tuples(st.sampled_from([NONE, EMPTY, LONG]), st.text()).map(lambda one: Fault(*one)), max_size=40))
def test_faults_are_summed_whatever_their_order(faults: list[Fault]) -> None:
    found = summed(faults)
    assert found == summed(reversed(faults))
    assert sum(one.number for one in found) == len(faults)
    for one in found:
        places = sorted(place for reason, place in faults if reason == one.reason)
        assert list(one.places) == places[:EXAMPLES]
