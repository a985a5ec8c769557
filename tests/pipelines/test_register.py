import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from fm.codecs import Pixels
from fm.conditions import Observed
from fm.config import SamplerConfig
from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from fm.errors import UserError
from fm.generator import Generator
from fm.metrics.extractors import load
from fm.metrics.extractors.own import OwnExtractor
from pipelines import params, register
from pipelines.params import Part
from pipelines.project import FEATURES, PREPARED, ROOT
from pipelines.records import tracking
from pipelines.registry import gate, promotion
from pipelines.registry.champion import require_same_format, require_same_part, with_calls
from pipelines.sample_sets import measure, real_reference
from pipelines.schemas.evaluation import Evaluation, EvaluationRow
from pipelines.stage import Stage
from pipelines.words import number
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
            # What DVC has recorded in this checkout is of its own runs.
            monkeypatch.setattr(module, "recorded", lambda name: None)
        monkeypatch.setattr(register, "are_as_recorded", lambda names: True)

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


def something_to_measure_with(size: int = 8) -> None:
    """Data and an extractor, small but real, as the stages leave them."""
    images = np.random.default_rng(0).integers(0, 256, (240, size, size, 1), dtype=np.uint8)
    labels, names = np.arange(240, dtype=np.int64) % 10, tuple("0123456789")
    write(PREPARED, Splits(images[:40], labels[:40], images[40:], labels[40:], names), "digits")
    file = Path("extractors/quadrants.py")
    file.parent.mkdir()
    halves = f"reshape(-1, 2, {size // 2}, 2, {size // 2})"
    file.write_text(f"def mean(images):\n    return images.{halves}.mean(axis=(2, 4)).reshape(-1, 4)\n")
    extractor = OwnExtractor("extractors/quadrants.py:mean", file, Pixels((size, size, 1)), torch.device("cpu"))
    FEATURES.mkdir(parents=True)
    extractor.save(FEATURES)
    np.save(FEATURES / "train.npy", extractor.features(images[:40]))
    np.save(FEATURES / "test.npy", extractor.features(images[40:]))


def row(sets: list[float], solver: str, nfe: int) -> EvaluationRow:
    mean = sum(sets) / len(sets)
    return EvaluationRow(
        solver=solver, steps=5, sampler=SamplerConfig(solver=solver, steps=5), nfe=nfe,
        distance=mean, distance_low=mean, distance_high=mean, distance_test=mean,
        distance_sets=sets, distance_infinity_sets=[],
        kid=0.1, kid_low=0.1, kid_high=0.1, precision=0.5, recall=0.5, accuracy=0.9,
        seconds_per_image=0.01,
    )  # fmt: skip


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    shutil.copy(template, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("PIPELINE_SLOTS", str(tmp_path / "slots"))
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

    # One that was registered before its metric was measured by set.
    tracking.client().set_model_version_tag(NAME, "2", gate.SET_VALUES, "[]")
    register.main()
    assert gate.by_set(tracking.client().get_model_version(NAME, "2").tags) == BETTER


def test_one_that_is_not_better_for_certain_stays_candidate(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    register.main()
    project.measured("flow_matching", SLIGHTLY_BETTER, weights=2)
    register.main()
    assert aliases() == {"candidate": "2", "champion": "1"}
    assert "not better for certain: fid_classifier lower by 0.025" in capfd.readouterr().out


def champion_measured_here(settings: params.Params) -> EvaluationRow:
    """What the fixture's first champion gets from the data and the extractor that lie here."""
    generator = tiny_generator().with_sampler(SamplerConfig(solver="midpoint", steps=5))
    extractor, dataset = load(FEATURES, torch.device("cpu")), Prepared.open(PREPARED)
    chosen = settings.evaluate
    return measure(generator, extractor, dataset, real_reference(chosen), chosen)


def test_a_champion_of_other_data_is_measured_again_and_what_is_better_replaces_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    register.main()
    something_to_measure_with()
    project.data = "e" * 32 + ".dir"
    theirs = champion_measured_here(params.load()).distance_sets
    project.measured("flow_matching", [value / 2 for value in theirs], weights=2)
    project.measured("diffusion", [value * 9 for value in theirs], weights=1)
    with monkeypatch.context() as patch:  # as by a version of this project that measured no champion again
        patch.setattr(register, "measure_champion", lambda *_: False)
        register.main()
    assert aliases() == {"candidate": "2", "champion": "1"}
    with pytest.raises(UserError, match="registering the candidate again"):
        promotion.promote(NAME, "2", "half as far away")
    capfd.readouterr()

    register.main()

    told = capfd.readouterr().out
    mean = sum(theirs) / len(theirs)
    assert f"the gate: better: fid_classifier lower by {number(mean / 2)}, " in told
    assert f"(the champion was measured by another protocol (data_md5 {'d' * 32}.dir, now {project.data})" in told
    assert aliases() == {"candidate": "2", "champion": "1"}, "what has been decided stands"
    known = gate.again(tracking.client().get_model_version(NAME, "2").tags, "1")
    assert known == gate.Again(version="1", sets=theirs, problem=None)
    register.main()
    assert "measured again" not in capfd.readouterr().out
    promotion.promote(NAME, "2", "half as far away")
    assert aliases() == {"candidate": "2", "champion": "2"}

    project.data = "c" * 32 + ".dir"
    project.measured("flow_matching", [value / 99 for value in theirs], weights=3)
    register.main()
    assert aliases() == {"candidate": "3", "champion": "3"}
    assert "better: fid_classifier lower by" in capfd.readouterr().out


def test_a_champion_of_other_images_cannot_be_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    something_to_measure_with(size=4)
    with pytest.raises(UserError, match=r"it makes data of 8 x 8 x 1 \(uint8\), the dataset's are 4 x 4 x 1"):
        require_same_format(tiny_generator(), Prepared.open(PREPARED))
    found = gate.Again(version="1", sets=[], problem="it makes other images")
    verdict = gate.judge(winner(BETTER).tags(), winner(GOOD, {"data_md5": "e"}).tags(), found)
    assert not verdict.promoted
    assert verdict.why.endswith("cannot be measured anew: it makes other images")


@pytest.mark.parametrize(("solver", "nfe", "steps"), [("midpoint", 10, 5), ("midpoint", 4, 2), ("ddim", 7, 7)])
def test_the_champion_takes_as_many_calls_as_the_candidate(solver: str, nfe: int, steps: int) -> None:
    generator = tiny_generator().with_sampler(SamplerConfig(solver=solver, steps=5))
    assert with_calls(generator, nfe).config.sampler.steps == steps


def test_a_champion_that_cannot_take_so_many_calls() -> None:
    with pytest.raises(UserError, match="midpoint can't take 5 calls"):
        with_calls(tiny_generator().with_sampler(SamplerConfig(solver="midpoint", steps=5)), 5)


def test_what_was_cut_short_is_completed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(register, "set_aliases", lambda *_: sys.exit(143))
        with pytest.raises(SystemExit):
            register.main()
    assert aliases() == {}

    register.main()

    assert aliases() == {"candidate": "1", "champion": "1"}
    assert len(tracking.client().search_model_versions(f"name = '{NAME}'")) == 1


@pytest.mark.parametrize(("width", "enlarged"), [(28, 588), (91, 546), (300, 600), (301, 301), (5000, 5000)])
def test_a_small_sheet_of_samples_is_enlarged(width: int, enlarged: int) -> None:
    sheet = register.enlarged(np.zeros((2, width, 1), dtype=np.uint8))
    assert sheet.shape == (2 * enlarged // width, enlarged, 1)


def test_a_champion_that_is_given_another_part_cannot_be_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    something_to_measure_with()
    dataset, labelled = Prepared.open(PREPARED), tiny_generator()
    config = labelled.config.model_copy(update={"conditioner": Observed((1, 8, 8), share=0.2).choice})
    given = Generator.untrained(config)
    require_same_part(labelled, "labels", dataset)
    require_same_part(given, Part(kind="observed", share=0.2), dataset)
    for one, condition, says in (
        (
            labelled,
            Part(kind="observed", share=0.2),
            "it is given nothing of a datum, the candidate observed, share 0.2",
        ),
        (
            given,
            Part(kind="observed", share=0.3),
            "it is given observed, share 0.2 of a datum, the candidate observed, ",
        ),
        (given, "labels", "the candidate nothing: with another register.model_name each has a champion"),
    ):
        with pytest.raises(UserError, match=says):
            require_same_part(one, condition, dataset)


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
        {"precision": "bf16"},
        {"given": "observed, share 0.1"},
    ],
)
def test_gate_compares_no_two_protocols(other: dict[str, Any]) -> None:
    verdict = gate.judge(winner(BETTER).tags(), winner(GOOD, other).tags())
    assert not verdict.promoted
    assert next(iter(other)) in verdict.why


def test_gate_knows_that_figures_without_a_precision_are_of_float32() -> None:
    of_before, told = winner(GOOD).tags(), winner(GOOD, {"precision": "float32"}).tags()
    assert of_before == told
    lower = winner(BETTER, {"precision": "bf16"}).tags()
    assert "(precision float32, now bf16)" in gate.judge(lower, of_before).why
    assert "(precision bf16, now float32)" in gate.judge(of_before, lower).why
    assert gate.judge(lower, winner(GOOD, {"precision": "bf16"}).tags()).promoted


def test_gate_compares_nothing_with_a_version_it_did_not_make() -> None:
    assert not gate.judge(winner(BETTER).tags(), {}).promoted


def test_gate_knows_which_metrics_are_better_when_higher() -> None:
    good, better = (winner(sets, {"metric": "accuracy"}).tags() for sets in ([0.7, 0.71, 0.69], [0.8, 0.82, 0.79]))
    assert gate.judge(better, good).why.startswith("better: accuracy higher by 0.1")
    assert not gate.judge(good, better).promoted


def test_gate_takes_a_champion_measured_again_by_what_it_got_then() -> None:
    ours, theirs = winner(BETTER).tags(), winner([], {"metric": "kid"}).tags()
    for sets, promoted in ((GOOD, True), (BETTER, False)):
        verdict = gate.judge(ours, theirs, gate.Again(version="1", sets=sets, problem=None))
        assert verdict.promoted == promoted
        assert "measured anew" in verdict.why


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
    with pytest.raises(UserError, match=r"metrics/evaluate/diffusion.json is missing: `dvc repro` makes it"):
        gate.choose(params.load())


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"num_images": 50}, "num_images is 100 for flow_matching and 50 for diffusion"),
        ({"precision": "bf16"}, "precision is 'float32' for flow_matching and 'bf16' for diffusion"),
    ],
)
def test_methods_measured_differently_are_not_compared(project: Project, other: dict[str, Any], says: str) -> None:
    project.measured("diffusion", GOOD, **other)
    with pytest.raises(UserError, match=f"not comparable: {says}"):
        gate.choose(params.load())


def test_the_winners_precision_is_of_its_protocol(project: Project) -> None:
    for method in ("flow_matching", "diffusion"):
        project.measured(method, GOOD, precision="bf16")
    assert gate.choose(params.load()).tags()["protocol.precision"] == "bf16"


def test_no_row_at_nfe(project: Project) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["register"]["nfe"] = 7
    with pytest.raises(UserError, match="flow_matching has no row with that many evaluations; it has rows with 5, 10"):
        gate.choose(params.parse(content))


def test_fingerprint_depends_on_names_and_contents(tmp_path: Path) -> None:
    for name, files in {"a": {"x": "1"}, "b": {"x": "1"}, "c": {"y": "1"}, "d": {"x": "2"}}.items():
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_text(content)
    a, b, c, d = (register.fingerprint(tmp_path / name) for name in "abcd")
    assert a == b
    assert len({a, c, d}) == 3
