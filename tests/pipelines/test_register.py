import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fm.config import SamplerConfig
from fm.errors import UserError
from pipelines import gate, params, register, tracking
from pipelines.project import ROOT
from pipelines.schemas import Evaluation, EvaluationRow
from pipelines.stage import Stage
from tests.fm.conftest import tiny_generator

NAME = "digits-generator"
GOOD = [10.0, 10.2, 9.9, 10.1]
BETTER = [8.0, 8.3, 7.9, 8.0]
SLIGHTLY_BETTER = [9.9, 10.3, 9.5, 10.4]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    tracking.create(database)
    return database


class Project:
    """What the stages leave for the gate, made up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data, self.features = "d" * 32 + ".dir", "f" * 32 + ".dir"
        content = yaml.safe_load((ROOT / "params.yaml").read_text())
        content["dataset"]["name"] = "digits"
        Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        for module in (gate, register):
            monkeypatch.setattr(module, "declared", self.declared)

    def declared(self, name: str) -> Stage:
        return Stage(name, {}, {"data/prepared": self.data, "artifacts/features": self.features})

    def measured(self, method: str, sets: list[float], weights: int = 0, **protocol: Any) -> None:
        tiny_generator(seed=weights).save(Path("artifacts/models") / method)
        evaluation(sets, **protocol).save(Path("metrics/evaluate") / f"{method}.json")


def evaluation(sets: list[float], **protocol: Any) -> Evaluation:
    rows = [row([value + 50 for value in sets], solver="euler", nfe=5), row(sets, solver="midpoint", nfe=10)]
    known = {"extractor": "classifier", "reference": "training split of digits", "num_images": 100}
    return Evaluation(
        **{**known, "num_sets": len(sets), "confidence": 0.95, "floor": 1.0, "rows": rows, "along": [], **protocol}
    )


def row(sets: list[float], solver: str, nfe: int) -> EvaluationRow:
    mean = sum(sets) / len(sets)
    return EvaluationRow(
        solver=solver, steps=5, sampler=SamplerConfig(solver=solver, steps=5), nfe=nfe,
        distance=mean, distance_low=mean, distance_high=mean, distance_test=mean,
        distance_sets=sets, distance_limit_sets=[],
        kid=0.1, kid_low=0.1, kid_high=0.1, precision=0.5, recall=0.5, accuracy=0.9,
        seconds_per_image=0.01,
    )  # fmt: skip


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    shutil.copy(template, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.delenv(tracking.PARENT_RUN_VARIABLE, raising=False)
    made = Project(monkeypatch)
    made.measured("flow_matching", GOOD)
    made.measured("diffusion", [20.0, 20.1, 20.2, 20.3], weights=1)
    return made


def aliases() -> dict[str, str]:
    found = tracking.client().get_registered_model(NAME).aliases
    return {name: str(version) for name, version in found.items()}


def test_first_version_is_champion_and_tells_where_it_comes_from(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    store = tracking.client()
    container = tracking.experiment_id("digits")
    trained = store.create_run(container, tags={tracking.STAGE_KEY: project.declared("train@flow_matching").key})
    store.set_terminated(trained.info.run_id)

    register.main()

    assert aliases() == {"candidate": "1", "champion": "1"}
    version = store.get_model_version_by_alias(NAME, "champion")
    assert version.tags["method"] == "flow_matching"
    assert (version.tags["solver"], version.tags["steps"], version.tags["nfe"]) == ("midpoint", "5", "10")
    assert version.tags["data.md5"] == project.data
    assert version.tags["training.run_id"] == trained.info.run_id
    assert {"git.commit", "git.dirty", "params.md5"} <= version.tags.keys()
    assert version.description.startswith(f"# {NAME}")
    run = store.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert version.tags.items() <= (run.data.tags | {register.DECISION: version.tags[register.DECISION]}).items()
    assert {"MODEL_CARD.md", "samples.png"} <= {file.path for file in store.list_artifacts(version.run_id)}
    assert f"](get-artifact?path=samples.png&run_uuid={version.run_id})" in version.description
    assert "champion: version 1; there is no champion yet" in capfd.readouterr().out
    assert_loads_elsewhere()


def assert_loads_elsewhere() -> None:
    """In another process, in an empty folder, without this project and without pickle."""
    program = f"""
import mlflow, pandas, sys
assert not any(path == {str(ROOT)!r} for path in sys.path)
model = mlflow.pyfunc.load_model("models:/{NAME}@champion")
images = model.predict(pandas.DataFrame({{"label": ["3", "all"]}}), params={{"num_samples": 2, "seed": 5}})
print(images.shape, images.dtype, sys.modules["fm"].__file__)
for page in ("MODEL_CARD.md", "samples.png"):
    mlflow.artifacts.download_artifacts("models:/{NAME}@champion/artifacts/" + page)
images.tofile("images")
try:
    model.predict(pandas.DataFrame({{"label": ["3"]}}), params={{"num_samples": 1.5}})
except Exception as error:
    print(error)
"""
    Path("empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd="empty",
        env={
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(4, 8, 8, 1) uint8")
    assert str(ROOT / "fm") not in done.stdout
    assert "1.5" in done.stdout
    expected = tiny_generator().with_sampler(SamplerConfig(solver="midpoint", steps=5)).sample(2, seed=5, labels=[3, 3])
    assert Path("empty/images").read_bytes()[: expected.size] == expected.tobytes()


def test_the_same_again_makes_no_second_version_and_leaves_the_aliases(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    register.main()
    project.measured("flow_matching", BETTER, weights=2)
    register.main()
    assert aliases() == {"candidate": "2", "champion": "2"}
    tracking.client().set_registered_model_alias(NAME, "champion", "1")  # somebody rolls back
    capfd.readouterr()

    register.main()

    assert f"unchanged: version 2 of {NAME}" in capfd.readouterr().out
    assert aliases() == {"candidate": "2", "champion": "1"}
    assert len(tracking.client().search_model_versions(f"name = '{NAME}'")) == 2


def test_one_that_is_not_better_for_certain_stays_candidate(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    register.main()
    project.measured("flow_matching", SLIGHTLY_BETTER, weights=2)
    register.main()
    assert aliases() == {"candidate": "2", "champion": "1"}
    assert "not better for certain: fid_classifier lower by 0.025" in capfd.readouterr().out


def test_what_was_cut_short_is_completed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(register, "set_aliases", lambda *_: sys.exit(143))
        with pytest.raises(SystemExit):
            register.main()
    assert aliases() == {}

    register.main()

    assert aliases() == {"candidate": "1", "champion": "1"}
    assert len(tracking.client().search_model_versions(f"name = '{NAME}'")) == 1


@pytest.mark.parametrize(("labels", "columns"), [(0, 10), (3, 3), (10, 10), (40, 10)])
def test_the_sample_sheet_has_eight_rows_and_few_columns(labels: int, columns: int) -> None:
    sheet = register.sample_sheet(tiny_generator(label_names=[str(i) for i in range(labels)]))
    assert sheet.shape[0] / sheet.shape[1] == (8 * 9 + 1) / (columns * 9 + 1)
    assert 500 <= sheet.shape[1] <= register.SHEET_WIDTH


# Without MLflow


def winner(sets: list[float], settings: dict[str, Any] | None = None) -> gate.Winner:
    known = {
        "data_md5": "d", "extractor": "classifier", "extractor_md5": "f", "reference": "training split",
        "num_images": 100, "num_sets": len(sets), "seed": 1, "metric": "fid_classifier", "nfe": 10,
    }  # fmt: skip
    protocol = gate.Protocol(**{**known, **(settings or {})})
    measured = evaluation(sets or GOOD)
    return gate.Winner("flow_matching", measured, measured.rows[1], 1.0, sets, protocol)


def test_gate_promotes_what_is_better_by_more_than_the_interval() -> None:
    verdict = gate.judge(winner(BETTER).tags(), winner(GOOD).tags())
    assert verdict.promoted
    assert verdict.why.startswith("better: fid_classifier lower by 2")


@pytest.mark.parametrize("sets", [SLIGHTLY_BETTER, GOOD, [value + 5 for value in GOOD]])
def test_gate_keeps_the_champion_otherwise(sets: list[float]) -> None:
    assert not gate.judge(winner(sets).tags(), winner(GOOD).tags()).promoted


@pytest.mark.parametrize(
    "other",
    [
        {"data_md5": "e"},
        {"extractor": "inception"},
        {"extractor_md5": "e"},
        {"reference": "test split"},
        {"num_images": 200},
        {"seed": 2},
        {"metric": "kid"},
        {"nfe": 20},
    ],
)
def test_gate_compares_no_two_protocols(other: dict[str, Any]) -> None:
    verdict = gate.judge(winner(BETTER).tags(), winner(GOOD, other).tags())
    assert not verdict.promoted
    assert next(iter(other)) in verdict.why


def test_gate_compares_nothing_with_a_version_it_did_not_make() -> None:
    assert not gate.judge(winner(BETTER).tags(), {}).promoted


def test_gate_needs_values_by_set() -> None:
    verdict = gate.judge(winner([], {"num_sets": 4}).tags(), winner([], {"num_sets": 4}).tags())
    assert not verdict.promoted
    assert "interval is unknown" in verdict.why


def test_the_row_at_nfe_decides(project: Project) -> None:
    chosen = gate.choose(params.load())
    assert (chosen.method, chosen.row.nfe, chosen.value) == ("flow_matching", 10, sum(GOOD) / 4)
    assert chosen.sets == GOOD


def test_other_metrics_are_turned_the_right_way(project: Project) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["register"]["metric"] = "accuracy"
    chosen = gate.choose(params.parse(content))
    assert chosen.value == 0.9
    assert chosen.sets == []


def test_what_is_missing_is_said_in_a_line(project: Project) -> None:
    Path("metrics/evaluate/diffusion.json").unlink()
    with pytest.raises(UserError, match=r"metrics/evaluate/diffusion.json is missing: run `make run`"):
        gate.choose(params.load())


def test_methods_measured_differently_are_not_compared(project: Project) -> None:
    project.measured("diffusion", GOOD, num_images=50)
    with pytest.raises(UserError, match="different protocols"):
        gate.choose(params.load())


def test_no_row_at_nfe(project: Project) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["register"]["nfe"] = 7
    with pytest.raises(UserError, match=r"flow_matching: no row with 7 evaluations; there are rows with \[5, 10\]"):
        gate.choose(params.parse(content))


def test_fingerprint_depends_on_names_and_contents(tmp_path: Path) -> None:
    for name, files in {"a": {"x": "1"}, "b": {"x": "1"}, "c": {"y": "1"}, "d": {"x": "2"}}.items():
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_text(content)
    a, b, c, d = (register.fingerprint(tmp_path / name) for name in "abcd")
    assert a == b
    assert len({a, c, d}) == 3
