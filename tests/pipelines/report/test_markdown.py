"""The report's words and figures as Markdown."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.claims.table import CLAIMS
from pipelines.report import Contents, markdown, render
from pipelines.schemas.evaluation import AtLength, Lengths
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
    first, few, over = (
        text.index(f"**{words}") for words in ("Which method", "What does it cost to go", "What does it cost to come")
    )
    assert first < few < over < text.index("## Claims")
    assert "commit: c0ffee" in text


def test_methods_are_read_at_their_best_lengths_where_these_were_tried(given: Contents) -> None:
    assert "averaging" not in markdown(given)
    flow = given.results.evaluations["flow_matching"]
    lengths = Lengths(
        sampler=flow.rows[0].sampler,
        tried=[AtLength(length=length, distance=9.0, distance_sets=[9.0, 9.0]) for length in (0.05, 0.1)],
        best=0.05,
        distance=9.0,
        distance_low=8.5,
        distance_high=9.5,
        distance_sets=[9.0, 9.0],
        untuned=10.0,
    )
    evaluations = {**given.results.evaluations, "flow_matching": flow.model_copy(update={"lengths": lengths})}
    found = replace(given, results=replace(given.results, evaluations=evaluations))
    says = "Flow matching 9.00 (8.50 to 9.50) at 0.05 (10.0 by train.ema_decay; Euler, 5 steps)"
    assert f"over the best share of 0.05, 0.1 of the training, chosen by other sample sets: {says}" in markdown(found)
    assert says in render(found)


def test_every_line_of_a_table_has_its_columns(given: Contents) -> None:
    first, *others = given.comparison.claims
    claims = [first.model_copy(update={"claim": "one | two\nthree <b>"}), *others]
    text = markdown(replace(given, comparison=given.comparison.model_copy(update={"claims": claims})))
    for table in tables(text):
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "one \\| two three &lt;b>" in text
