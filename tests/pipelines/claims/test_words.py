import math

import pytest

from pipelines.claims.judge import entry
from pipelines.claims.measurement import Measurement
from pipelines.claims.table import CLAIMS
from pipelines.claims.units import KNOWN, PART, quantity
from pipelines.claims.words import as_markdown, finding, interval
from pipelines.params import Roles


def test_units():
    assert (quantity(0.2, "share"), quantity(2.3, "ratio"), quantity(10, "images/s")) == (
        "20.0%",
        "2.30×",
        "10.0 images/s",
    )
    assert quantity(-0.019, "difference of shares") == "−1.9 points"
    assert quantity(3, "apples") == "3.00 apples"


def test_every_claims_unit_is_one_that_is_read_back():
    assert all(KNOWN[definition.unit.name] is definition.unit for definition in CLAIMS)


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
    saving = next(definition for definition in CLAIMS if definition.unit == PART)
    assert interval(entry(saving, Measurement(0.15, low, high, "", ""), Roles())) == text


def test_what_is_not_measured_has_no_words_for_its_interval():
    assert interval(entry(CLAIMS[0], Measurement(None, None, None, "", ""), Roles())) == ""


def test_one_line_and_one_row_say_the_same_of_a_claim():
    claim = entry(CLAIMS[0], Measurement(0.2849, 0.105, 0.465, "", ""), Roles())
    assert finding(claim) == "partly, 28.5% (10.5% to 46.5%)"
    assert "| ◐ partly | At its best, flow matching's images are closer to the data. | 28.5% | 10.5% to 46.5% |" in (
        as_markdown([claim])
    )
