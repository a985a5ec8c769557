import math

import pytest

from pipelines.claims.claim import CLAIMS
from pipelines.claims.judge import entry
from pipelines.claims.measurement import Measurement
from pipelines.report.words import duration, interval, method_name, number, percent, quantity, size


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


def test_units():
    assert (percent(-0.064), size(1.18e9), size(5e8)) == ("−6.4%", "1.18 GB", "500 MB")
    assert (quantity(0.2, "share"), quantity(2.3, "ratio"), quantity(10, "images/s")) == (
        "20.0%",
        "2.30×",
        "10.0 images/s",
    )
    assert quantity(-0.019, "difference of shares") == "−1.9 points"


def test_method_names():
    assert method_name("flow_matching") == "Flow matching"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.1, 0.2, "10.0% to 20.0%"),
        (-math.inf, 0.2, "at most 20.0%"),
        (0.1, math.inf, "at least 10.0%"),
        (-math.inf, math.inf, "no interval"),
    ],
)
def test_intervals_and_bounds(low: float, high: float, text: str):
    share = next(definition for definition in CLAIMS if definition.unit == "share")
    assert interval(entry(share, Measurement(0.15, low, high, "", ""))) == text


def test_what_is_not_measured_has_no_words_for_its_interval():
    assert interval(entry(CLAIMS[0], Measurement(None, None, None, "", ""))) == ""
