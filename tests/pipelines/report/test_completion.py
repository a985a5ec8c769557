"""How data are completed of which a part is given, in the report."""

from dataclasses import replace
from pathlib import Path

import pytest

from fm.config import SamplerConfig
from pipelines.report import Contents, markdown, render
from pipelines.report.completion import lines
from pipelines.schemas.evaluation import Completion, Evaluation
from tests.pipelines.report.made_up import TWO
from tests.pipelines.report.test_markdown import tables
from tests.pipelines.report.test_report import contents

COMPLETION = Completion(
    sampler=SamplerConfig(solver="euler", steps=10),
    nfe=10,
    part="the first frames",
    data=32,
    members=8,
    crps=0.25,
    crps_low=0.2,
    crps_high=0.3,
    crps_each=[0.25] * 32,
    unconditional=0.6,
    spread_by_error=0.8,
    ranks=[1 / 9] * 9,
    unevenness=0.1,
)


@pytest.fixture
def given(tmp_path: Path) -> Contents:
    """The first method completes data, the second does not."""
    plain = contents(tmp_path, TWO)
    evaluations = dict(plain.results.evaluations)
    first = next(iter(evaluations))
    evaluations[first] = evaluations[first].model_copy(update={"completion": COMPLETION})
    return replace(plain, results=replace(plain.results, evaluations=evaluations))


def test_scores_stand_beside_what_knows_nothing(given: Contents) -> None:
    score, spread, ranks = lines(given.results.evaluations)
    assert score.figures == [("0.250", "0.200 to 0.300"), ("–", "")]
    assert score.right == "0.600 of training data"
    assert spread.figures[0] == ("0.80", "")
    assert ranks.figures[0] == ("0.10", "")
    table = next(table for table in tables(markdown(given)) if "right would be" in table[0])
    assert "**0.250** (0.200 to 0.300)" in table[2]
    page = render(given)
    assert "Is the rest told from the part that is given?" in page
    assert "Of 32 test data each method is told the first frames, and completes each 8 times" in page


def test_where_nothing_is_given_nothing_is_said(tmp_path: Path) -> None:
    plain = contents(tmp_path, TWO)
    assert "right would be" not in markdown(plain)
    assert "Is the rest told" not in render(plain)


def test_it_lies_on_the_disk(given: Contents, tmp_path: Path) -> None:
    first, second = given.results.evaluations.values()
    first.save(tmp_path / "first.json")
    assert Evaluation.load(tmp_path / "first.json").completion == COMPLETION
    second.save(tmp_path / "second.json")
    assert '"completion"' not in (tmp_path / "second.json").read_text(), "files of before have no such key"
