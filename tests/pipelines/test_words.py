import pytest

from fm.conditions import Labels, Observed, Unconditional
from pipelines.words import (
    distance_in_words,
    duration,
    in_turn,
    method_in_text,
    method_name,
    number,
    percent,
    quoted,
    roughly,
    size,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12.345, "12.3"),
        (1.0, "1.00"),
        (-0.1234, "−0.123"),
        (1234.5, "1,234"),
        (0.00012345, "0.000123"),
        (1.5e-7, "1.50e−07"),
        (999.99, "1,000"),
    ],
)
def test_numbers(value: float, text: str):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0042, "4.20 ms"), (8.125, "8.12 s"), (612, "10.2 min"), (9000, "2.5 h")]
)
def test_durations(seconds: float, text: str):
    assert duration(seconds) == text


def test_what_is_foretold_is_said_in_the_unit_that_one_reads():
    assert [roughly(seconds) for seconds in (40, 600, 5400, 90_000)] == ["40 s", "10 min", "1.5 h", "25.0 h"]


def test_units():
    assert (percent(-0.064), size(1.18e9), size(5e8)) == ("−6.4%", "1.18 GB", "500 MB")


def test_method_names():
    assert method_name("flow_matching") == "Flow matching"
    assert (method_in_text("flow_matching"), method_in_text("ot_cfm")) == ("flow matching", "OT CFM")


def test_what_a_distance_is() -> None:
    assert distance_in_words("inception").startswith("It is FID: measured in the features of the published Inception")
    assert distance_in_words("classifier").startswith("It is measured in the features of a classifier of this dataset;")
    assert "your own extractor" in distance_in_words("faces")


def test_what_a_sheet_is_of() -> None:
    many = tuple(map(str, range(100)))
    assert in_turn(Labels(many)) == f"the labels in turn, row by row, 10 in each: {', '.join(many[:80])}"
    assert in_turn(Observed((1, 8, 8))) == "with nothing given"
    assert in_turn(Labels()) == in_turn(Unconditional()) == "without labels"


def test_a_text_is_one_line_that_can_be_printed() -> None:
    assert quoted("a\n\u202ered\0 <b>heart</b>") == "“a \ufffdred\ufffd <b>heart</b>”"
    assert len(quoted("a" * 10_000)) == 63
