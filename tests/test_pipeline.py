"""The whole pipeline on digits, run as its users run it: through the Prefect flow and by `dvc repro`."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file

from tests.conftest import Project

SAME_BYTES = (
    "data/prepared/manifest.json",
    "data/prepared/train_images.npy",
    "artifacts/features/extractor.safetensors",
    "artifacts/features/train.npy",
    "artifacts/models/flow_matching/model.safetensors",
    "artifacts/models/flow_matching/config.json",
    "artifacts/models/diffusion/model.safetensors",
    "artifacts/samples/flow_matching/euler-10.png",
    "artifacts/samples/diffusion/ddpm-10.png",
    "artifacts/curves/diffusion.csv",
)
CURVE = "artifacts/curves/flow_matching.csv"
MEASURED_ANEW = {
    "seconds",
    "training_seconds",
    "images_per_second",
    "peak_memory_bytes",
    "resumed",
    "seconds_per_image",
    "one_at_a_time",
    "step_seconds",
}


def client(project: Project) -> MlflowClient:
    return MlflowClient(f"sqlite:///{project.folder}/mlflow.db")


def runs(project: Project, name: str) -> list:
    store = client(project)
    experiment = store.get_experiment_by_name("digits")
    return store.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")


def without_timings(content: object) -> object:
    if isinstance(content, dict):
        return {key: without_timings(value) for key, value in content.items() if key not in MEASURED_ANEW}
    return [without_timings(item) for item in content] if isinstance(content, list) else content


def test_the_flow_compares_and_registers(by_flow: tuple[Project, str]) -> None:
    project, printed = by_flow
    comparison = json.loads((project.folder / "reports/comparison.json").read_text())
    assert comparison["winner"] in ("flow_matching", "diffusion")
    assert comparison["winner"] in printed
    assert "reports/report.html" in printed
    store = client(project)
    aliases = store.get_registered_model("digits-generator").aliases
    assert aliases == {"candidate": "1", "champion": "1"} or aliases == {"candidate": 1, "champion": 1}
    version = store.get_model_version("digits-generator", "1")
    for tag in ("git.commit", "git.dirty", "data.md5", "params.md5", "prefect.flow_run_id"):
        assert version.tags[tag], tag
    assert version.tags["git.dirty"] == "false"


def test_every_stage_that_trains_or_evaluates_is_a_child_of_one_parent(by_flow: tuple[Project, str]) -> None:
    project, _ = by_flow
    parents = {run.data.tags.get("mlflow.parentRunId") for name in CHILDREN for run in runs(project, name)}
    assert len(parents) == 1
    assert None not in parents
    for name in CHILDREN:
        (run,) = runs(project, name)
        assert run.info.status == "FINISHED"
        assert run.inputs.dataset_inputs[0].dataset.digest == run.data.tags["data.md5"]
        assert run.data.tags["git.dirty"] == "false"
    (train,) = runs(project, "train@diffusion")
    assert {"loss", "learning_rate", "gradient_norm", "images_per_second"} <= set(train.data.metrics)
    assert client(project).list_artifacts(train.info.run_id, "images")


CHILDREN = ("train@flow_matching", "train@diffusion", "evaluate@flow_matching", "evaluate@diffusion")


def test_run_again_nothing_happens(by_flow: tuple[Project, str]) -> None:
    project, _ = by_flow
    before = len(runs(project, "train@diffusion")), (project.folder / "dvc.lock").read_bytes()
    printed = project.run("python", "-m", "flows.pipeline").stdout
    assert "Running stage" not in printed
    assert (len(runs(project, "train@diffusion")), (project.folder / "dvc.lock").read_bytes()) == before
    assert len(client(project).search_model_versions("name = 'digits-generator'")) == 1
    assert "Running stage" not in project.run("dvc", "repro").stdout


def test_dvc_repro_gives_the_same_bytes(by_flow: tuple[Project, str], by_dvc: Project) -> None:
    project, _ = by_flow
    for name in SAME_BYTES:
        assert (project.folder / name).read_bytes() == (by_dvc.folder / name).read_bytes(), name
    for file in sorted((project.folder / "metrics").rglob("*.json")):
        other = by_dvc.folder / file.relative_to(project.folder)
        mine, theirs = json.loads(file.read_text()), json.loads(other.read_text())
        assert without_timings(mine) == without_timings(theirs), file.name


def test_dvc_repro_does_not_register_and_make_register_does(by_dvc: Project) -> None:
    store = client(by_dvc)
    assert not store.search_registered_models()
    assert "champion" in by_dvc.run("python", "-m", "pipelines.register").stdout
    assert store.get_model_version_by_alias("digits-generator", "champion").version in ("1", 1)


def test_dvc_shows_metrics_and_plots(by_dvc: Project) -> None:
    assert "fid_classifier" in by_dvc.run("dvc", "metrics", "show", "--json").stdout
    by_dvc.run("dvc", "plots", "show", "-o", str(by_dvc.folder.parent / "plots"))
    assert "train.images_seen" in by_dvc.run("dvc", "params", "diff", "--all").stdout


def changed_stages(project: Project) -> set[str]:
    return set(json.loads(project.run("dvc", "status", "--json").stdout.splitlines()[-1]))


def test_a_change_of_one_method_touches_its_stages_only(by_dvc: Project) -> None:
    settings = (by_dvc.folder / "params.yaml").read_text()
    try:
        by_dvc.set(methods__diffusion__objective__path="cosine")
        assert changed_stages(by_dvc) == {"train@diffusion", "compare"}
        (by_dvc.folder / "params.yaml").write_text(settings)
        by_dvc.set(methods__diffusion__samplers=[{"solver": "ddim", "steps": [10]}])
        assert changed_stages(by_dvc) == {"evaluate@diffusion", "compare"}
    finally:
        (by_dvc.folder / "params.yaml").write_text(settings)
    assert changed_stages(by_dvc) == set()


def start_training(project: Project) -> subprocess.Popen[bytes]:
    """Train flow matching until its first checkpoint is there."""
    command = [".venv/bin/python", "-m", "pipelines.train", "flow_matching"]
    process = subprocess.Popen(command, cwd=project.folder, env=project.environment)
    wait_for_checkpoint(project, process)
    return process


def wait_for_checkpoint(project: Project, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not list((project.folder / ".cache/checkpoints").glob("*/*/last.ckpt")):
        assert process.poll() is None, "the training ended before it had saved anything"
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_a_stopped_training_resumes_to_the_same_bytes(
    project: Project, by_dvc: Project, stop: signal.Signals, code: int
) -> None:
    project.run("dvc", "repro", "prepare")
    process = start_training(project)
    os.kill(process.pid, stop)
    assert process.wait(timeout=60) == code
    assert not (project.folder / "artifacts/models").exists()

    project.run("dvc", "repro", "train@flow_matching")
    for name in ("artifacts/models/flow_matching/model.safetensors", "artifacts/curves/flow_matching.csv"):
        assert (project.folder / name).read_bytes() == (by_dvc.folder / name).read_bytes(), name
    assert json.loads((project.folder / "metrics/train/flow_matching.json").read_text())["resumed"] == 1
    assert not list((project.folder / ".cache/checkpoints").glob("*/*/last.ckpt"))
    (run,) = runs(project, "train@flow_matching")
    assert run.info.status == "FINISHED"
    steps = [point.step for point in client(project).get_metric_history(run.info.run_id, "loss")]
    assert len(steps) == len(set(steps)) == 100


def test_two_processes_share_one_training_and_resume_it(project: Project, by_dvc: Project) -> None:
    project.set(train__accelerator="cpu")
    project.run("dvc", "repro", "prepare")
    command = [".venv/bin/torchrun", "--standalone", "--nproc-per-node=2", "-m", "pipelines.train", "flow_matching"]
    with subprocess.Popen(command, cwd=project.folder, env=project.environment) as torchrun:
        wait_for_checkpoint(project, torchrun)
        family = [psutil.Process(torchrun.pid), *psutil.Process(torchrun.pid).children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family)

    subprocess.run(command, cwd=project.folder, env=project.environment, check=True)

    assert json.loads((project.folder / "metrics/train/flow_matching.json").read_text())["resumed"] == 1
    alone, together = (np.genfromtxt(one.folder / CURVE, delimiter=",", names=True) for one in (by_dvc, project))
    assert list(together["images_seen"]) == list(alone["images_seen"])
    # Sums of floating-point numbers in another order, which training makes more of.
    np.testing.assert_allclose(together["loss"][:20], alone["loss"][:20], rtol=1e-4)
    np.testing.assert_allclose(together["loss"], alone["loss"], rtol=0.02)
    weights = [load_file(one.folder / "artifacts/models/flow_matching/model.safetensors") for one in (by_dvc, project)]
    for name in weights[0]:
        torch.testing.assert_close(weights[1][name], weights[0][name], rtol=0.05, atol=0.02)


def test_a_changed_parameter_never_picks_up_old_weights(project: Project) -> None:
    project.run("dvc", "repro", "prepare")
    process = start_training(project)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    project.set(train__learning_rate=0.0005)
    project.run("dvc", "repro", "train@flow_matching")
    assert json.loads((project.folder / "metrics/train/flow_matching.json").read_text())["resumed"] == 0


def test_a_mistake_in_the_settings_is_one_line(project: Project) -> None:
    project.set(train__seed=-1)
    done = project.run("python", "-m", "flows.pipeline", check=False)
    assert done.returncode == 1
    assert done.stdout.strip().endswith("params.yaml: train.seed = -1: input should be greater than or equal to 0")
    assert "\n" not in done.stdout.strip()
    done = project.run("python", "-m", "pipelines.train", "flow_matching", check=False)
    assert done.stdout.strip().splitlines() == [
        "params.yaml: train.seed = -1: input should be greater than or equal to 0"
    ]


def test_nothing_is_left_in_the_home_folder(by_flow: tuple[Project, str]) -> None:
    home = Path(by_flow[0].environment["HOME"])
    left = {path.name for path in home.glob(".*")} if home.exists() else set()
    assert not left & {".prefect", ".mlflow", "mlruns"}
