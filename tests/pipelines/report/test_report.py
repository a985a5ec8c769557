"""The report: one file that carries everything, whatever was compared."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from pipelines.claims.judge import judge
from pipelines.claims.results import Results
from pipelines.claims.table import CLAIMS
from pipelines.params import Roles
from pipelines.ranking import rank
from pipelines.report import Contents, markdown, render
from pipelines.report.page import strips
from pipelines.report.plots import Curve
from pipelines.schemas.comparison import Comparison
from pipelines.schemas.machine import Load
from pipelines.schemas.probes import Latency, ProbeLoads
from tests.pipelines.report.made_up import LABELS, TWO, Rows, evaluation, probes, training, write_sheets

NFE = 10
VOID = {"meta", "img", "br", "hr", "link", "input"}


def contents(folder: Path, methods: dict[str, Rows], metric: str = "fid_classifier") -> Contents:
    for method, rows in methods.items():
        for solver, steps, _, _ in rows:
            write_sheets(folder / method, f"{solver}-{steps}")
    results = Results(
        roles=Roles(),
        train={method: training() for method in methods},
        evaluations={method: evaluation(rows) for method, rows in methods.items()},
        probes=probes(methods),
        classifier_accuracy=0.97,
    )
    ranking = rank(results.evaluations, metric, NFE)
    comparison = Comparison(
        dataset="digits",
        extractor="classifier",
        reference="training split",
        num_images=250,
        num_sets=4,
        floor=4.0,
        metric=metric,
        nfe=NFE,
        winner=ranking[0][0],
        data_md5="0123",
        claims=judge(results),
    )
    return Contents(
        comparison=comparison,
        results=results,
        ranking=ranking,
        curves={method: Curve([64, 128], [1.0, 0.5]) for method in methods},
        real=Image.new("L", (28, 73)),
        examples=list(LABELS),
        samples=folder,
        facts=[("commit", "c0ffee")],
    )


@pytest.fixture
def page(tmp_path: Path) -> str:
    return render(contents(tmp_path, TWO))


def headline(text: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", text)
    assert found is not None
    return found.group(1)


class Balance(HTMLParser):
    """Every element that is opened is closed, in order; collects identifiers."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_is_one_file_that_needs_nothing_else(page: str):
    assert "http" not in page
    assert "<script" not in page
    assert "<link" not in page
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)"', page))
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', page))
    assert len(page.encode()) < 3_000_000


def test_is_well_formed(page: str):
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    references = {target[1:] for target in re.findall(r'href="(#[^"]*)"', page)}
    assert references <= set(parser.ids)


def test_names_the_winner_by_how_much_and_at_what_cost(page: str):
    assert headline(page) == "Flow matching makes the better images in 10 evaluations"
    assert "its fid_classifier is 10.0, against 20.0 of diffusion: 10.0 lower, or 50%" in page
    assert "95% interval of the paired difference 9.66 to 10.3" in page
    for cost in ("10.0 s", "20.0 s", "100 ms", "200 ms", "1.00 GB"):
        assert f"<b>{cost}</b>" in page


def test_only_times_taken_in_turn_stand_side_by_side(tmp_path: Path):
    given = contents(tmp_path, TWO)
    slow = {
        name: each.model_copy(
            update={"rows": [row.model_copy(update={"seconds_per_image": 7777.0}) for row in each.rows]}
        )
        for name, each in given.results.evaluations.items()
    }
    train = {"flow_matching": training(seconds=60.0), "diffusion": training(seconds=6000.0)}
    on_a_busy_machine = replace(given, results=replace(given.results, evaluations=slow, train=train))
    assert render(on_a_busy_machine) == render(given).replace("took 3.3 min in all", "took 1.7 h in all")
    assert markdown(on_a_busy_machine) == markdown(given).replace("took 3.3 min in all", "took 1.7 h in all")


def test_says_what_else_the_machine_did(page: str, tmp_path: Path):
    assert "what else the machine did meanwhile was not recorded" in page
    given = contents(tmp_path, TWO)
    load = Load(others=0.25, cpus=2, average=1.0)
    loads = ProbeLoads(samplers=load, one_at_a_time=load, training_steps=load)
    probes = given.results.probes.model_copy(update={"machine_load": loads})
    text = render(replace(given, results=replace(given.results, probes=probes)))
    assert "meanwhile other processes kept 0.25 of 2 CPUs busy" in text


def test_a_lead_within_the_interval_is_no_win(tmp_path: Path):
    given = contents(tmp_path, TWO)
    close = given.results.evaluations["flow_matching"].best("fid_classifier", NFE)
    other = close.model_copy(update={"solver": "ddim", "distance_sets": [9.0, 12.0, 10.0, 9.5], "distance": 10.125})
    theirs = given.results.evaluations["diffusion"].model_copy(update={"rows": [other]})
    results = replace(given.results, evaluations={**given.results.evaluations, "diffusion": theirs})
    ranking = [given.ranking[0], ("diffusion", other)]
    text = render(replace(given, ranking=ranking, results=results))
    assert headline(text).startswith("No clear winner: Flow matching is ahead")


def test_three_questions_are_answered_before_any_picture(page: str):
    questions = re.findall(r'<p class="question">(.*?)</p>', page)
    assert len(questions) == 3
    assert page.index(questions[0]) < page.index("<h1>")
    assert page.index(questions[1]) < page.index(questions[2]) < page.index("<img")
    assert "Not measured." in page[page.index(questions[2]) : page.index("<img")]


def test_a_lead_that_turns_with_more_evaluations_is_told(tmp_path: Path):
    turning: dict[str, Rows] = {
        "flow_matching": [("euler", 10, 10, 9.0)],
        "diffusion": [("ddim", 10, 10, 20.0), ("ddim", 100, 100, 5.0)],
    }
    text = render(contents(tmp_path, turning))
    assert "With more evaluations the order changes: diffusion 5.00 with 100, flow matching 9.00 with 10." in text


def test_has_every_claim_and_the_floor(page: str):
    for definition in CLAIMS:
        assert page.count(f'id="{definition.id}"') == 1
    assert "score 4.00 at this sample" in page


def test_shows_every_row_and_picture(page: str):
    rows = sum(map(len, TWO.values()))
    assert len(re.findall(r"<td>(?:Euler|midpoint|DDIM)</td>", page)) == rows
    assert page.count("<img ") == 3 + rows + len(TWO)
    assert page.count("<svg ") == 5


def test_a_strip_is_there_where_something_was_measured_and_nowhere_else(tmp_path: Path):
    given = contents(tmp_path, TWO)
    assert [row.nfe for row, _ in strips(given, "flow_matching")] == [5, 10, 20]
    assert [row.nfe for row, _ in strips(given, "diffusion")] == [10, 50, 100]


def test_shows_whether_samples_are_copies(page: str):
    assert page.count("samples over their two nearest training images") == len(TWO)
    assert "fid_classifier to the training split 10.0, to the test split 10.5" in page


def test_columns_are_named_where_there_is_one_for_each_label(tmp_path: Path):
    given = contents(tmp_path, TWO)
    assert "Columns: zero, one, two." in render(given)
    for names in ([], [f"label {number}" for number in range(11)]):
        assert "Columns:" not in render(replace(given, examples=names))


def test_long_captions_are_whole_where_one_points_at_them(tmp_path: Path):
    long = "a red heart & " * 6
    page = render(replace(contents(tmp_path, TWO), examples=["the star", long]))
    escaped = long.replace("&", "&amp;")
    assert f'Columns: the star, <span title="{escaped}">' in page
    assert page.count(escaped) == 1


def test_colours_come_from_the_style_sheet(page: str):
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    used = set(re.findall(r"var\((--[\w-]+)\)", drawings))
    assert {"--ink", "--series-0", "--series-1"} <= used
    assert all(page.count(f"{variable}:") >= 1 for variable in used)
    assert not re.findall(r"#[0-9a-f]{3,6}\b", drawings)
    assert "prefers-color-scheme: dark" in page


def test_same_contents_give_the_same_bytes(tmp_path: Path):
    given = contents(tmp_path, TWO)
    assert render(given) == render(given)


@pytest.mark.parametrize("methods", [["one"], ["one", "two", "three"], [f"m{number}" for number in range(8)]])
def test_renders_any_number_of_methods(tmp_path: Path, methods: list[str]):
    text = render(contents(tmp_path, dict.fromkeys(methods, TWO["flow_matching"])))
    assert all(method.capitalize() in text for method in methods)
    assert "18 more claims" in text


def test_a_metric_without_sets_has_no_interval(tmp_path: Path):
    text = render(contents(tmp_path, TWO, metric="precision"))
    assert headline(text).startswith("No clear winner")
    assert "this lead has none" in text


def test_names_from_outside_are_escaped(tmp_path: Path):
    given = replace(contents(tmp_path, TWO), examples=["<b>bold</b>"], facts=[("commit", "<i>x</i>")])
    text = render(given)
    assert "<b>bold</b>" not in text
    assert "<i>x</i>" not in text


def test_shows_what_only_methods_side_by_side_can_show(page: str):
    assert 'aria-label="distance of a few steps from many"' in page
    assert 'aria-label="share of images recognised, by scale of guidance"' in page


def test_how_long_one_image_takes_is_told_where_it_was_measured(page: str, tmp_path: Path):
    assert "One image, while somebody waits" not in page
    given = contents(tmp_path, TWO)
    timed = [Latency(solver="euler", steps=5, nfe=5, compiled=how, seconds=[0.02, 0.03]) for how in (False, True)]
    flow = given.results.probes.methods["flow_matching"].model_copy(update={"latency": timed})
    methods = {**given.results.probes.methods, "flow_matching": flow}
    probes = given.results.probes.model_copy(update={"methods": methods})
    text = render(replace(given, results=replace(given.results, probes=probes)))
    assert '<td data-name="an image takes">25.0 ms</td><td data-name="images a second">40.0</td>' in text
    assert "<td>Euler, compiled</td>" in text


def test_without_a_classifier_there_is_no_plot_of_guidance(tmp_path: Path):
    given = contents(tmp_path, TWO)
    unlabelled = {name: one.model_copy(update={"guidance": []}) for name, one in given.results.probes.methods.items()}
    blind = given.results.probes.model_copy(update={"methods": unlabelled})
    found = render(replace(given, results=replace(given.results, probes=blind)))
    assert "by scale of guidance" not in found
