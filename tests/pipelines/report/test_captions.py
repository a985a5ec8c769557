"""How far captions are followed, in the report."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.report import Contents, markdown, render
from pipelines.report.captions import how, lines, phrase
from pipelines.schemas.evaluation import Evaluation
from tests.pipelines.report.made_up import FLOW, TWO, caption_figure, evaluation, following
from tests.pipelines.report.test_markdown import tables
from tests.pipelines.report.test_report import contents


def told(one: Evaluation, better: float = 0.0) -> Evaluation:
    return one.model_copy(update={"captions": following(better)})


@pytest.fixture
def given(tmp_path: Path) -> Contents:
    plain = contents(tmp_path, TWO)
    evaluations = {
        name: told(one, 0.1 * number) for number, (name, one) in enumerate(plain.results.evaluations.items())
    }
    return replace(plain, results=replace(plain.results, evaluations=evaluations))


def test_each_figure_has_floor_and_ceiling_beside_it(given: Contents) -> None:
    text = markdown(given)
    followed = next(table for table in tables(text) if "captions shuffled" in table[0])
    assert followed[0] == "|  | Flow matching | Diffusion | captions shuffled | real images |"
    assert followed[4] == (
        "| an image's caption is the nearest of 100 | **30.0%** (25.0% to 35.0%) | **40.0%** (35.0% to 45.0%) "
        "| 1.0% | 90.0% |"
    )
    assert len(followed) == 2 + 6
    page = render(given)
    assert "CLIP" not in page
    assert "<b>40.0%</b><small>35.0% to 45.0%</small></td><td>1.0%</td><td>90.0%</td>" in page
    assert page.count("an image shows the tone that it was asked for, of 692 test captions") == 1
    assert page.count("an image shows the tone that it was asked for, of 692 training captions") == 1


def test_a_cosine_is_no_share() -> None:
    near = caption_figure("clip", "cosine", 0.3125).model_copy(update={"floor": 0.2, "ceiling": 0.35})
    one = evaluation(FLOW).model_copy(update={"captions": following().model_copy(update={"figures": [near]})})
    (line,) = lines({"flow_matching": one})
    assert (line.shares, line.floor, line.ceiling) == ([("31.2", "26.2 to 36.2")], "20.0", "35.0")
    assert line.what.startswith("100 times the cosine between an image and its caption to CLIP")
    assert how({"flow_matching": one}).endswith("CLIP alone was not trained on the data.")


def test_where_nobody_is_told_captions_nothing_is_said_of_them(tmp_path: Path) -> None:
    plain = contents(tmp_path, TWO)
    assert lines(plain.results.evaluations) == []
    assert "captions" not in markdown(plain)
    assert "Are captions followed?" not in render(plain)


def test_a_method_without_a_figure_has_a_dash(given: Contents) -> None:
    first, second = given.results.evaluations
    fewer = following()
    without = fewer.model_copy(update={"figures": fewer.figures[1:]})
    changed = {
        first: given.results.evaluations[first],
        second: given.results.evaluations[second].model_copy(update={"captions": without}),
    }
    assert [line.shares[1] for line in lines(changed)][:2] == [("–", ""), ("70.0%", "65.0% to 75.0%")]


def test_ranks_are_said_as_they_are() -> None:
    assert phrase(caption_figure("retrieval", "1 of 8", 0.1)) == "an image's caption is the nearest of 8"
    assert phrase(caption_figure("retrieval", "5 of 692", 0.1)) == "an image's caption is among the 5 nearest of 692"


def test_figures_are_the_same_once_saved_and_loaded(tmp_path: Path) -> None:
    plain = evaluation(FLOW)
    for one in (plain, told(plain)):
        one.save(tmp_path / "evaluation.json")
        assert Evaluation.load(tmp_path / "evaluation.json") == one
    plain.save(tmp_path / "evaluation.json")
    assert '"captions"' not in (tmp_path / "evaluation.json").read_text(), "files of before have no such key"
