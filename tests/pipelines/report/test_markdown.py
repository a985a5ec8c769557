"""The report's words and figures as Markdown."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.claims.table import CLAIMS
from pipelines.report import Contents, markdown
from tests.pipelines.report.made_up import TWO
from tests.pipelines.report.test_report import contents


@pytest.fixture
def given(tmp_path: Path) -> Contents:
    return contents(tmp_path, TWO)


def tables(text: str) -> list[list[str]]:
    """The lines of each table."""
    blocks = [block.splitlines() for block in text.split("\n\n")]
    return [block for block in blocks if block[0].startswith("|")]


def test_says_what_the_page_says(given: Contents) -> None:
    text = markdown(given)
    assert text.startswith("# Flow matching makes the better images in 10 evaluations\n")
    assert "10.0 lower, or 50% (95% interval of the paired difference 9.66 to 10.3)" in text
    costs, claims, samplers = tables(text)
    assert costs[2] == "| fid_classifier at 10 evaluations | **10.0** (Euler, 10 steps) | **20.0** (DDIM, 10 steps) |"
    assert len(claims) == 2 + len(CLAIMS)
    assert len(samplers) == 2 + sum(map(len, TWO.values()))
    assert "it is not FID" in text
    assert "commit: c0ffee" in text


def test_every_line_of_a_table_has_its_columns(given: Contents) -> None:
    first, *others = given.comparison.claims
    claims = [first.model_copy(update={"claim": "one | two\nthree <b>"}), *others]
    text = markdown(replace(given, comparison=given.comparison.model_copy(update={"claims": claims})))
    for table in tables(text):
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "one \\| two three &lt;b>" in text
