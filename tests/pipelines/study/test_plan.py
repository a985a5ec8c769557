import shutil
from pathlib import Path

import pytest
import yaml

from flows import settings
from pipelines import params
from pipelines.claims.outcomes import MAIN
from pipelines.params import ParamsError
from pipelines.project import ROOT
from pipelines.study import plan
from pipelines.study.plan import Study

SMALL = {
    "about": "Small.",
    "seeds": [0, 1],
    "settings": {"dataset.name": "digits"},
    "arms": {
        "touchiness": {
            "methods": ["flow_matching", "diffusion"],
            "vary": {"train.learning_rate": [0.001, 0.01]},
            "seeds": [5, 6],
            "settings": {"train.ema_decay": 0.9},
        },
        "main": {"methods": ["flow_matching"], "beside": ["edm"]},
    },
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "methods", tmp_path / "methods")
    (tmp_path / "studies").mkdir()
    return tmp_path


def write(project: Path, **changes: object) -> None:
    (project / "studies" / "small.yaml").write_text(yaml.safe_dump(SMALL | changes))


def test_every_combination_is_a_trial_and_the_main_arm_comes_first(project: Path) -> None:
    write(project)
    trials = plan.trials(plan.load("small", project), project)
    assert [trial.name for trial in trials] == [
        "main/seed-0",
        "main/seed-1",
        "touchiness/learning_rate-0.001/seed-5",
        "touchiness/learning_rate-0.001/seed-6",
        "touchiness/learning_rate-0.01/seed-5",
        "touchiness/learning_rate-0.01/seed-6",
    ]
    assert [trial.compares for trial in trials] == [True, True, False, False, False, False]
    assert list(trials[0].overrides["methods"]) == ["flow_matching", "edm"]
    assert trials[0].overrides["methods"]["edm"]["objective"]["path"] == "edm"
    assert list(trials[1].overrides["methods"]) == ["flow_matching"], "a method beside is trained once"
    last = dict(trials[-1].overrides)
    last.pop("methods")
    assert last == {
        "dataset.name": "digits", "train.ema_decay": 0.9, "train.learning_rate": 0.01,
        "train.seed": 6, "evaluate.seed": 1006,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [0]}, "seeds"),
        ({"arms": {"touchiness": SMALL["arms"]["touchiness"]}}, "arms: must be main"),
        ({"arms": {**SMALL["arms"], "beauty": {"methods": ["edm"]}}}, "arms: must be main"),
        ({"extra": 1}, "extra"),
        ({"settings": {"evaluate.seed": 7}}, "evaluate.seed: every training has its own"),
        ({"arms": {"main": {"methods": ["edm"], "vary": {"train.seed": [1, 2]}}}}, "train.seed: every training has"),
    ],
)
def test_a_wrong_study_is_told(project: Path, changes: dict, message: str) -> None:
    write(project, **changes)
    with pytest.raises(ParamsError, match=rf"^studies/small\.yaml.*{message}"):
        plan.load("small", project)


def test_a_study_or_a_method_that_is_not_there(project: Path) -> None:
    write(project, arms={"main": {"methods": ["flow_matching", "magic"]}})
    with pytest.raises(ParamsError, match="no study 'large': there are small"):
        plan.load("large", project)
    with pytest.raises(ParamsError, match="no method 'magic'"):
        plan.trials(plan.load("small", project), project)


@pytest.mark.parametrize("name", [file.stem for file in sorted((ROOT / "studies").glob("*.yaml"))])
def test_our_own_studies_can_be_run(name: str) -> None:
    text = (ROOT / "params.yaml").read_text()
    study: Study = plan.load(name)
    assert MAIN in study.arms
    for trial in plan.trials(study):
        chosen = params.parse(yaml.safe_load(settings.merged(text, {}, trial.overrides)))
        assert chosen.train.seed == trial.seed


def test_every_training_is_measured_by_sample_sets_of_its_own(project: Path) -> None:
    """The first by those of params.yaml, so that a pipeline run's work is its too."""
    write(project)
    trials = plan.trials(plan.load("small", project), project)
    pairs = {(trial.overrides["train.seed"], trial.overrides["evaluate.seed"]) for trial in trials}
    assert len(pairs) == len(dict(pairs)) == len({evaluation for _, evaluation in pairs}) == 4
    settings_now = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert (settings_now["train"]["seed"], settings_now["evaluate"]["seed"]) in pairs
