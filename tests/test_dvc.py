"""Stages by DVC alone: what reruns, and trainings that are stopped, resumed and shared by processes."""

import fnmatch
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file

from pipelines.project import CACHE_VARIABLE, CHECKPOINTS_VARIABLE
from tests.conftest import Project, checkout, copied
from tests.ports import free_run
from tests.store import Store
from tests.test_pipeline import client, runs, without_timings

pytestmark = pytest.mark.runs

CURVE = "artifacts/curves/flow_matching.csv"


@pytest.fixture
def project(prepared: Project, tmp_path: Path) -> Project:
    """A project in which nothing has been trained but what measures."""
    return copied(prepared, tmp_path / "project")


def test_dvc_repro_does_not_register_and_make_register_does(by_dvc: Project) -> None:
    store = client(by_dvc)
    assert not store.search_registered_models()
    settings = (by_dvc.folder / "params.yaml").read_text()
    by_dvc.set(train__learning_rate=0.5)
    said = by_dvc.run("python", "-m", "pipelines.register", check=False).stdout
    (by_dvc.folder / "params.yaml").write_text(settings)
    assert "changed since it ran, so run the pipeline again first: params.yaml: train.learning_rate = 0.5" in said
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
        assert changed_stages(by_dvc) == {"resolve", "train@diffusion", "compare"}
        (by_dvc.folder / "params.yaml").write_text(settings)
        by_dvc.set(methods__diffusion__samplers=[{"solver": "ddim", "steps": [10]}])
        assert changed_stages(by_dvc) == {"resolve", "evaluate@diffusion", "compare"}
    finally:
        (by_dvc.folder / "params.yaml").write_text(settings)
    assert changed_stages(by_dvc) == set()


def test_experiments_run_in_checkouts_that_dvc_makes(tmp_path: Path) -> None:
    project = checkout(tmp_path / "project")
    settings = (project.folder / "params.yaml").read_bytes()
    project.run("dvc", "exp", "run", "--temp", "--name", "larger", "--set-param", "dataset.image_size=16", "prepare")
    assert "larger" in project.run("dvc", "exp", "list").stdout
    assert (project.folder / "params.yaml").read_bytes() == settings


# Of a batch job that asks for four cores as four tasks, and of another training that the shell has seen.
OF_OTHERS = {"SLURM_JOB_ID": "77", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "RANK": "1"}


def start_training(project: Project, saved: Callable[[], Iterable[object]]) -> subprocess.Popen[bytes]:
    """Train flow matching until its first checkpoint is saved."""
    command = [".venv/bin/python", "-m", "pipelines.train", "flow_matching"]
    process = subprocess.Popen(command, cwd=project.folder, env=project.environment | OF_OTHERS)
    wait_for(saved, process)
    return process


def in_its_folder(project: Project) -> list[Path]:
    """The checkpoints there are."""
    return list((project.folder / ".cache/checkpoints").glob("*/*/last.ckpt"))


def wait_for(saved: Callable[[], Iterable[object]], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not list(saved()):
        assert process.poll() is None, "the training ended before it had saved anything"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def assert_resumed(project: Project, by_dvc: Project) -> None:
    """A training goes on where it was stopped, in the same run, and ends as one does that was not."""
    assert not (project.folder / "artifacts/models").exists()
    project.run("dvc", "repro", "train@flow_matching")
    for name in ("artifacts/models/flow_matching/model.safetensors", CURVE):
        assert (project.folder / name).read_bytes() == (by_dvc.folder / name).read_bytes(), name
    assert json.loads((project.folder / "metrics/train/flow_matching.json").read_text())["resumed"] == 1
    assert not in_its_folder(project)
    (run,) = runs(project, "train@flow_matching")
    assert run.info.status == "FINISHED"
    steps = [point.step for point in client(project).get_metric_history(run.info.run_id, "loss")]
    assert len(steps) == len(set(steps)) == 100


def test_a_killed_training_resumes_to_the_same_bytes(project: Project, by_dvc: Project) -> None:
    process = start_training(project, partial(in_its_folder, project))
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL
    checkpoints, kept = project.folder / ".cache/checkpoints", project.folder.parent / "kept"
    shutil.copytree(checkpoints, kept)
    assert_resumed(project, by_dvc)

    # Killed with DVC before it could remove its checkpoints, and DVC record what it made, which it then finds nowhere.
    shutil.copytree(kept, checkpoints, dirs_exist_ok=True)
    (project.folder / "dvc.lock").unlink()
    shutil.rmtree(project.folder / ".dvc/cache/runs")
    assert "train@flow_matching: taken as it was" in project.run("dvc", "repro", "train@flow_matching").stdout
    assert (project.folder / CURVE).read_bytes() == (by_dvc.folder / CURVE).read_bytes()
    assert not in_its_folder(project)
    assert len(runs(project, "train@flow_matching")) == 1


def test_a_terminated_training_resumes_out_of_a_store(project: Project, by_dvc: Project, store: Store) -> None:
    bucket = "team-t-checkpoints"
    project.environment |= store.variables(store.set_up("team-t", {})["training"])
    project.environment[CHECKPOINTS_VARIABLE] = f"s3://{bucket}/trainings"
    process = start_training(project, lambda: fnmatch.filter(store.everything(bucket), "*/checkpoint.json"))
    process.terminate()
    assert process.wait(timeout=60) == 143
    shutil.rmtree(project.folder / ".cache/checkpoints")  # as on another machine
    assert_resumed(project, by_dvc)
    assert store.everything(bucket) == []


def of_two_machines(port: int, node: int) -> list[str]:
    return [
        ".venv/bin/torchrun", "--nnodes=2", f"--node-rank={node}", "--nproc-per-node=1",
        "--master-addr=127.0.0.1", f"--master-port={port}", "-m", "pipelines.train", "flow_matching",
    ]  # fmt: skip


def test_two_processes_share_one_training_and_two_machines_go_on_with_it(project: Project, by_dvc: Project) -> None:
    project.set(train__accelerator="cpu")
    project.run("dvc", "repro", "prepare")
    second = copied(project, project.folder.parent / "second")
    second.environment[CACHE_VARIABLE] = str(project.folder / ".cache")

    command = [".venv/bin/torchrun", "--standalone", "--nproc-per-node=2", "-m", "pipelines.train", "flow_matching"]
    with subprocess.Popen(command, cwd=project.folder, env=project.environment) as torchrun:
        wait_for(partial(in_its_folder, project), torchrun)
        family = [psutil.Process(torchrun.pid), *psutil.Process(torchrun.pid).children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family)

    port = free_run(1)
    machines = [
        subprocess.Popen(of_two_machines(port, node), cwd=one.folder, env=one.environment)
        for node, one in enumerate((project, second))
    ]
    assert [machine.wait(timeout=180) for machine in machines] == [0, 0]

    assert json.loads((project.folder / "metrics/train/flow_matching.json").read_text())["resumed"] == 1
    for made in ("artifacts/models", "metrics/train", "mlflow.db"):
        assert not (second.folder / made).exists(), made
    assert len(runs(project, "train@flow_matching")) == 1
    alone, together = (np.genfromtxt(one.folder / CURVE, delimiter=",", names=True) for one in (by_dvc, project))
    assert list(together["images_seen"]) == list(alone["images_seen"])
    # Sums of floating-point numbers in another order, which training makes more of.
    np.testing.assert_allclose(together["loss"][:20], alone["loss"][:20], rtol=1e-4)
    np.testing.assert_allclose(together["loss"], alone["loss"], rtol=0.02)
    weights = [load_file(one.folder / "artifacts/models/flow_matching/model.safetensors") for one in (by_dvc, project)]
    for name in weights[0]:
        torch.testing.assert_close(weights[1][name], weights[0][name], rtol=0.05, atol=0.02)


def test_two_processes_share_one_evaluation(by_dvc: Project) -> None:
    """And find what one has found; the first alone says and writes it."""
    file, samples = by_dvc.folder / "metrics/evaluate/flow_matching.json", by_dvc.folder / "artifacts/samples"
    found, sheets = file.read_bytes(), contents(samples)
    try:
        shared = by_dvc.run(
            "torchrun", "--standalone", "--nproc-per-node=2", "-m", "pipelines.evaluate", "flow_matching"
        )
        assert shared.stdout.count("euler 10: nfe 10") == 1
        assert file.read_bytes() != found, "the times are others"
        assert without_timings(json.loads(file.read_bytes())) == without_timings(json.loads(found))
        assert contents(samples) == sheets
    finally:
        file.write_bytes(found)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.png")}


def test_a_parameter_changed_while_a_training_runs_is_never_that_of_its_weights(project: Project) -> None:
    command = [".venv/bin/dvc", "repro", "train@flow_matching"]
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as repro:
        wait_for(partial(in_its_folder, project), repro)
        project.set(train__learning_rate=0.0005)
        said, _ = repro.communicate()
    assert repro.returncode != 0
    assert "train@flow_matching: changed while it ran" in said
    assert "params.yaml: train.learning_rate = 0.0005, was null" in said
    assert not (project.folder / "artifacts/models").exists()
    locked = yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]
    assert set(locked) == {"resolve", "prepare", "features"}

    project.run("dvc", "repro", "train@flow_matching")
    locked = yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]["train@flow_matching"]
    assert locked["params"]["params.yaml"]["train"]["learning_rate"] == 0.0005
    assert json.loads((project.folder / "metrics/train/flow_matching.json").read_text())["resumed"] == 0
