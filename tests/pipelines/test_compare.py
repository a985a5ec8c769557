"""The stage compare on made-up metrics files: what it writes, and what it says when it can't."""

import csv
import json
from pathlib import Path

import pytest

from fm.errors import UserError
from pipelines import compare, stage
from pipelines.claims.table import CLAIMS
from pipelines.project import METRICS, REPORTS
from pipelines.ranking import rank
from pipelines.records import tracking
from pipelines.report import files
from pipelines.schemas.comparison import Comparison
from pipelines.schemas.evaluation import Evaluation
from pipelines.schemas.train import Before
from tests.pipelines.report.made_up import DIFFUSION, FLOW, TWO, Rows, evaluation, training, write_project

MD5 = "0123456789abcdef0123456789abcdef.dir"
OUTPUTS = ("comparison.json", "distance.csv", "report.html")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project to stand in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setattr(stage, "declared", lambda name, *_: stage.Stage(name, {}, {"data/prepared": MD5}))
    return tmp_path


def run(root: Path, methods: dict[str, Rows], **settings: int | str) -> Comparison:
    write_project(root, methods, **settings)  # type: ignore[arg-type]
    compare.judge_all(stage.declared("compare"))
    return Comparison.load(REPORTS / "comparison.json")


def test_says_who_wins_and_under_which_protocol(here: Path):
    found = run(here, TWO)
    assert found.winner == "flow_matching"
    assert (found.metric, found.nfe, found.floor, found.data_md5) == ("fid_classifier", 10, 4.0, MD5)
    assert (found.dataset, found.extractor, found.num_images, found.num_sets) == ("digits", "classifier", 250, 4)
    assert [claim.id for claim in found.claims] == [definition.id for definition in CLAIMS]


def test_distances_are_one_line_a_row(here: Path):
    run(here, TWO)
    with (REPORTS / "distance.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["method", "solver", "nfe", "distance", "low", "high"]
    assert len(lines) == len(FLOW) + len(DIFFUSION)
    assert {line["method"] for line in lines} == set(TWO)


def test_equal_inputs_give_equal_bytes(here: Path):
    def content() -> list[bytes]:
        return [(REPORTS / name).read_bytes() for name in OUTPUTS[:2]]

    run(here, TWO)
    before = content()
    run(here, TWO)
    assert content() == before


def test_the_file_for_programs_carries_no_commit_and_no_date(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "commit", lambda: "c0ffee")
    run(here, TWO)
    assert "c0ffee" in (REPORTS / "report.html").read_text()
    text = (REPORTS / "comparison.json").read_text()
    assert "c0ffee" not in text
    assert not {"commit", "date", "run_id"} & set(json.loads(text))


def test_the_report_names_the_runs_in_mlflow(here: Path):
    with tracking.stage_run(stage.declared("train@diffusion"), "digits") as made:
        pass
    with tracking.stage_run(stage.declared("train@flow_matching"), "digits", resume=False):
        run(here, TWO)  # one that is not over does not count
    text = (REPORTS / "report.md").read_text()
    assert f"train@diffusion {made.run_id}" in text
    assert "train@flow_matching" not in text


def test_the_report_says_whose_training_took_more_images(here: Path):
    write_project(here, TWO)
    before = Before(method="flow_matching", images_seen=64_000, seconds=100.0, pairs_seconds=30.0)
    training().model_copy(update={"before": before}).save(METRICS / "train/diffusion.json")
    compare.judge_all(stage.declared("compare"))
    assert (
        "64,000 + 64,000 = 128,000 images in 1.7 min + 30.0 s of making pairs + "
        in (REPORTS / "report.html").read_text()
    )
    says = "same network, one training each; diffusion goes on from flow matching: 128,000 images instead of 64,000"
    for name in ("report.html", "report.md"):
        assert f"digits, {says}" in (REPORTS / name).read_text()


def test_summary_for_dvc(here: Path):
    run(here, TWO)
    summary = json.loads(Path("metrics/summary.json").read_text())
    assert set(summary) == set(TWO)
    deciding = Evaluation.load(Path("metrics/evaluate/diffusion.json")).best("fid_classifier", 10)
    assert summary["diffusion"]["distance"] == deciding.distance
    assert summary["diffusion"]["best_distance"] <= deciding.distance


def test_the_other_method_can_win(here: Path):
    assert run(here, {"flow_matching": DIFFUSION, "diffusion": FLOW}).winner == "diffusion"


def test_of_equals_the_first_wins(here: Path):
    assert run(here, {"b": FLOW, "a": FLOW}).winner == "b"


@pytest.mark.parametrize("metric", ["kid", "precision", "accuracy"])
def test_any_measured_metric_can_decide(here: Path, metric: str):
    found = run(here, TWO, metric=metric)
    assert (found.metric, found.winner) == (metric, "flow_matching")


@pytest.mark.parametrize("methods", [["flow_matching"], ["other"], ["flow_matching", "diffusion", "third"], ["a", "b"]])
def test_works_with_any_set_of_methods(here: Path, methods: list[str]):
    found = run(here, dict.fromkeys(methods, FLOW))
    assert found.winner == methods[0]
    assert len(found.claims) == len(CLAIMS)
    assert (REPORTS / "report.html").stat().st_size > 1000


def test_the_file_of_a_removed_method_does_not_count(here: Path):
    write_project(here, TWO | {"removed": [("euler", 10, 10, 0.1)]})
    found = run(here, TWO)
    assert found.winner == "flow_matching"
    assert all("removed" not in (REPORTS / name).read_text() for name in OUTPUTS)


def test_no_row_at_the_deciding_number_of_evaluations(here: Path):
    with pytest.raises(UserError) as caught:
        run(here, TWO, nfe=50)
    message = str(caught.value)
    assert "\n" not in message
    assert "register.nfe = 50" in message
    assert "flow_matching" in message
    assert "5, 10, 20" in message
    assert not REPORTS.exists()


def test_a_metric_that_nobody_measured(here: Path):
    with pytest.raises(UserError, match=r"register\.metric = 'fid': with the extractor classifier it must be one of"):
        run(here, TWO, metric="fid")


def test_missing_metrics_are_named(here: Path):
    write_project(here, TWO)
    (METRICS / "evaluate" / "diffusion.json").unlink()
    with pytest.raises(UserError, match=r"metrics/evaluate/diffusion\.json is missing"):
        compare.judge_all(stage.declared("compare"))


@pytest.mark.parametrize("path", ["artifacts/curves/diffusion.csv", "artifacts/samples/diffusion/ddim-10.png"])
def test_missing_artifacts_are_named(here: Path, path: str):
    write_project(here, TWO)
    Path(path).unlink()
    with pytest.raises(UserError, match=f"{path} is missing"):
        compare.judge_all(stage.declared("compare"))


def test_damaged_metrics_are_named(here: Path):
    write_project(here, TWO)
    (METRICS / "train" / "diffusion.json").write_text('{"steps": 1}')
    with pytest.raises(UserError, match=r"^metrics/train/diffusion\.json .*`dvc repro` makes it anew$"):
        compare.judge_all(stage.declared("compare"))


@pytest.mark.parametrize("field", ["reference", "num_images", "num_sets", "confidence"])
def test_two_protocols_are_never_compared(here: Path, field: str):
    write_project(here, TWO)
    path = METRICS / "evaluate" / "diffusion.json"
    content = json.loads(path.read_text())
    content[field] = {"reference": "test split", "num_images": 9, "num_sets": 2, "confidence": 0.9}[field]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"not comparable: {field} is"):
        compare.judge_all(stage.declared("compare"))


def test_ranking_takes_the_best_solver_of_each_method():
    evaluations: dict[str, Evaluation] = {
        "one": evaluation([("euler", 10, 10, 9.0), ("midpoint", 5, 10, 7.0)]),
        "two": evaluation([("ddim", 10, 10, 8.0), ("ddim", 20, 20, 1.0)]),
    }
    ranking = rank(evaluations, "fid_classifier", 10)
    assert [(method, row.solver) for method, row in ranking] == [("one", "midpoint"), ("two", "ddim")]
