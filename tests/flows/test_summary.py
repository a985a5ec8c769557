from pathlib import Path

import pytest

from flows import summary
from flows.publish import markdown, publish
from fm.config import SamplerConfig
from pipelines.schemas.comparison import Claim, Comparison
from pipelines.schemas.evaluation import Evaluation, EvaluationRow
from tests.pipelines.report.made_up import probes
from tests.pipelines.report.test_completion import COMPLETION


def row(solver: str, nfe: int, distance: float) -> EvaluationRow:
    return EvaluationRow(
        solver=solver, steps=nfe, sampler=SamplerConfig(solver=solver, steps=nfe), nfe=nfe,
        distance=distance, distance_low=distance - 1, distance_high=distance + 1,
        distance_test=distance, distance_sets=[distance], distance_infinity_sets=[],
        kid=0.01, kid_low=0, kid_high=0.02, precision=0.5, recall=0.5,
        accuracy=None, seconds_per_image=0.00321,
    )  # fmt: skip


def evaluation(*rows: EvaluationRow) -> Evaluation:
    return Evaluation(
        extractor="classifier", reference="training split", num_images=100, num_sets=4, confidence=0.95, floor=1.5,
        rows=list(rows),
        along=[],
    )  # fmt: skip


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    evaluation(row("midpoint", 10, 12.3456), row("euler", 100, 7)).save(tmp_path / "metrics/evaluate/one.json")
    evaluation(row("ddim", 10, 130)).save(tmp_path / "metrics/evaluate/other_method.json")
    evaluation(row("ddim", 10, 1)).save(tmp_path / "metrics/evaluate/no_longer_in_params.json")
    timed = {"one": [("midpoint", 10, 10, 0.0), ("euler", 100, 100, 0.0)], "other_method": [("ddim", 10, 10, 0.0)]}
    probes(timed).save(tmp_path / "metrics/probes.json")
    claim = Claim(
        id="a", claim="fewer | steps", source_value="10", measured=None, low=None, high=None, unit="x", better="up",
        null=1, threshold=2, verdict="not_measured", protocol="", note="",
    )  # fmt: skip
    Comparison(
        dataset="digits", extractor="classifier", reference="training split", num_images=100, num_sets=4, floor=1.5,
        metric="fid_classifier", nfe=10, winner="one", data_md5="", claims=[claim],
    ).save(tmp_path / "reports/comparison.json")  # fmt: skip
    return tmp_path


def test_the_table_is_aligned_and_names_the_distance_after_its_extractor(measured: Path) -> None:
    assert summary.aligned(summary.rows(measured)).splitlines() == [
        "method        solver    nfe       fid_classifier     kid  an image takes",
        "one           euler     100  7.00 (6.00 to 8.00)  0.0100          100 ms",
        "one           midpoint   10  12.3 (11.3 to 13.3)  0.0100         10.0 ms",
        "other_method  ddim       10     130 (129 to 131)  0.0100         20.0 ms",
    ]


def test_the_text_says_who_won_and_where_to_look(measured: Path) -> None:
    text = summary.text(measured)
    assert "Best at 10 network evaluations by fid_classifier: one" in text
    for place in ("reports/report.html", "make ui", "make prefect-ui", "python -m pipelines.generate"):
        assert place in text


def test_data_that_are_completed_are_called_samples_and_want_what_is_given(measured: Path) -> None:
    comparison, one = measured / "reports/comparison.json", measured / "metrics/evaluate/one.json"
    Comparison.load(comparison).model_copy(update={"things": "samples"}).save(comparison)
    assert "python -m pipelines.generate --count 64 --out samples.npz   samples from" in summary.text(measured)
    Evaluation.load(one).model_copy(update={"completion": COMPLETION}).save(one)
    text = summary.text(measured)
    assert "4 sets of 100 samples" in text
    assert "a sample takes" in text
    assert "python -m pipelines.generate --given data.npy --count 64 --out samples.npz" in text


@pytest.mark.usefixtures("prefect_server")
def test_the_run_page_gets_the_table_and_the_claims(measured: Path) -> None:
    from prefect.artifacts import Artifact

    publish(measured)
    table = Artifact.get("comparison")
    assert table is not None
    assert "midpoint" in str(table.data)
    comparison = summary.Comparison.load(measured / "reports/comparison.json")
    assert "| – not measured | fewer \\| steps | – |  | 10 |" in markdown(comparison, "here").splitlines()
