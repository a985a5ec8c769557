"""A study, run as its users run it, after a pipeline run whose work it can use."""

import json

import pytest
import yaml

from tests.conftest import Project
from tests.test_pipeline import client, runs

pytestmark = pytest.mark.runs

TINY = {
    "about": "As small as can be.",
    "seeds": [0, 1],
    "settings": {},
    "arms": {"main": {"methods": ["flow_matching", "diffusion"]}},
}


@pytest.fixture(scope="module")
def studied(by_flow: tuple[Project, str]) -> tuple[Project, str]:
    """The project after its study, and what that printed."""
    project, _ = by_flow
    (project.folder / "studies" / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return project, project.run("python", "-m", "flows.study", "tiny").stdout


def test_says_beforehand_what_it_will_run_and_how_long(studied: tuple[Project, str]) -> None:
    _, printed = studied
    before, _, after = printed.partition("in all, less what is trained already")
    assert "study tiny: 2 trials, 0 of them done" in before
    assert "main: 2 trials, about" in before
    assert "train@" not in before
    assert "train@" in after


def test_judges_over_the_training_seeds(studied: tuple[Project, str]) -> None:
    project, _ = studied
    folder = project.folder / "reports/studies/tiny"
    claims = {claim["id"]: claim for claim in json.loads((folder / "comparison.json").read_text())["claims"]}
    for name in ("quality", "stability", "conditioning", "real_time"):
        assert claims[name]["protocol"].startswith("2 training seeds, 95% t-interval over them")
    assert claims["determinism"]["verdict"] == "reproduced"
    assert claims["transformers"]["verdict"] == "not_measured"
    assert "2 trainings each" in (folder / "report.html").read_text()
    assert "2 trainings each" in (folder / "report.md").read_text()
    metrics = [folder / f"trials/main/seed-{seed}/metrics" for seed in (0, 1)]
    probes = [json.loads((one / "probes.json").read_text()) for one in metrics]
    assert probes[0]["methods"] != probes[1]["methods"]
    assert [json.loads((one / "evaluate/diffusion.json").read_text())["seed"] for one in metrics] == [1000, 1001]
    assert "in common" not in claims["quality"]["protocol"]


def test_what_a_pipeline_run_has_trained_is_not_trained_again(studied: tuple[Project, str]) -> None:
    project, _ = studied
    seeds = [run.data.params["train.seed"] for run in runs(project, "train@diffusion")]
    assert sorted(seeds) == ["0", "1"]


def test_leaves_the_users_checkout_alone(studied: tuple[Project, str]) -> None:
    project, _ = studied
    assert "seed: 1\n" not in (project.folder / "params.yaml").read_text()
    assert "Running stage" not in project.run("dvc", "repro").stdout


def parents(project: Project, name: str) -> list:
    """The MLflow runs of a name, which hold those of stages."""
    store = client(project)
    experiment = store.get_experiment_by_name("digits")
    return store.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")


def test_trials_are_runs_within_the_studys_run(studied: tuple[Project, str]) -> None:
    project, _ = studied
    (study,) = parents(project, "study tiny")
    assert study.data.metrics["determinism"] == 0
    assert {file.path for file in client(project).list_artifacts(study.info.run_id)} >= {"report.html"}
    for seed in (0, 1):
        first, *_ = parents(project, f"main/seed-{seed}")
        assert first.data.tags["mlflow.parentRunId"] == study.info.run_id


def test_run_again_no_trial_runs(studied: tuple[Project, str]) -> None:
    project, _ = studied
    printed = project.run("python", "-m", "flows.study", "tiny").stdout
    assert "2 trials, 2 of them done" in printed
    assert "2 trials, of which 0 ran now" in printed
    assert "Running stage" not in printed
