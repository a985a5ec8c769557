"""The whole pipeline on digits, run as its users run it: through the Prefect flow and by `dvc repro`."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from flows import summary
from pipelines.checkout_locks import running_here, working
from tests.conftest import Project

pytestmark = pytest.mark.runs

SAME_BYTES = (
    "data/prepared/manifest.json",
    "data/prepared/train_data.npy",
    "artifacts/features/extractor.safetensors",
    "artifacts/features/train.npy",
    "artifacts/models/flow_matching/model.safetensors",
    "artifacts/models/flow_matching/config.json",
    "artifacts/models/diffusion/model.safetensors",
    "artifacts/samples/flow_matching/euler-10.png",
    "artifacts/samples/diffusion/ddpm-10.png",
    "artifacts/curves/diffusion.csv",
)
MEASURED_ANEW = {
    "seconds",
    "seconds_per_step",
    "machine_load",
    "images_per_second",
    "peak_memory_bytes",
    "resumed",
    "seconds_per_image",
    "one_at_a_time",
    "latency",
    "step_seconds",
}


def client(project: Project) -> MlflowClient:
    return MlflowClient(f"sqlite:///{project.folder}/mlflow.db")


def runs(project: Project, name: str) -> list:
    store = client(project)
    experiment = store.get_experiment_by_name("digits")
    return store.search_runs([experiment.experiment_id], f"tags.`stage.name` = '{name}'")


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
    parent = client(project).get_run(parents.pop())
    assert parent.info.run_name == "digits"
    assert {"loss/diffusion", "fid_classifier/flow_matching/euler"} <= set(parent.data.metrics)
    assert train.info.run_name == "train@diffusion: digits"
    assert {"loss", "learning_rate", "gradient_norm", "system/images_per_second"} <= set(train.data.metrics)
    assert client(project).list_artifacts(train.info.run_id, "images")


CHILDREN = ("train@flow_matching", "train@diffusion", "evaluate@flow_matching", "evaluate@diffusion")


def test_run_again_nothing_happens(
    by_flow: tuple[Project, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that takes seconds is imported to find that out."""
    project, _ = by_flow
    for heavy in ("lightning", "mlflow", "prefect", "torch"):
        (tmp_path / f"{heavy}.py").write_text("raise ImportError('not needed here')\n")
    monkeypatch.setitem(project.environment, "PYTHONPATH", str(tmp_path))
    before = len(runs(project, "train@diffusion")), (project.folder / "dvc.lock").read_bytes(), flow_runs(project)
    printed = project.run("python", "-m", "flows.pipeline").stdout
    assert "Running stage" not in printed
    after = len(runs(project, "train@diffusion")), (project.folder / "dvc.lock").read_bytes(), flow_runs(project)
    assert after == before
    assert before[2] >= 1
    for said in (
        summary.UNCHANGED,
        "unchanged: version 1 of digits-generator",
        "fid_classifier",
        "reports/report.html",
    ):
        assert said in printed
    assert len(client(project).search_model_versions("name = 'digits-generator'")) == 1
    assert "Running stage" not in project.run("dvc", "repro").stdout


def flow_runs(project: Project) -> int:
    """Those that Prefect has recorded."""
    with closing(sqlite3.connect(project.folder / ".prefect" / "prefect.db")) as database:
        return int(database.execute("select count(*) from flow_run").fetchone()[0])


def test_dvc_repro_gives_the_same_bytes(by_flow: tuple[Project, str], by_dvc: Project) -> None:
    project, _ = by_flow
    for name in SAME_BYTES:
        assert (project.folder / name).read_bytes() == (by_dvc.folder / name).read_bytes(), name
    for file in sorted((project.folder / "metrics").rglob("*.json")):
        other = by_dvc.folder / file.relative_to(project.folder)
        mine, theirs = json.loads(file.read_text()), json.loads(other.read_text())
        assert without_timings(mine) == without_timings(theirs), file.name


LOADED = """
import sys
sys.modules["fm"] = None  # importing it is an error
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained("exported", custom_pipeline="exported", trust_remote_code=True)
print([one.size for one in pipe(labels=["3", "7"]).images])
"""


def test_the_champion_goes_out_to_diffusers(by_flow: tuple[Project, str], monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = by_flow
    monkeypatch.setitem(project.environment, "HF_HUB_OFFLINE", "1")
    printed = project.run("python", "-m", "pipelines.export", "champion", "--to", "diffusers", "exported").stdout
    assert "digits-generator, version 1" in printed
    try:
        assert "[(8, 8), (8, 8)]" in project.run("python", "-c", LOADED).stdout
    finally:
        shutil.rmtree(project.folder / "exported")


def test_a_mistake_in_the_settings_is_one_line_of_a_stage_too(project: Project) -> None:
    """Of a run it is so in tests/flows/test_run.py."""
    project.set(train__seed=-1)
    done = project.run("python", "-m", "pipelines.prepare", check=False)
    assert done.returncode == 1
    assert done.stdout.strip().splitlines() == [
        "params.yaml: train.seed = -1: input should be greater than or equal to 0"
    ]


@pytest.mark.parametrize(
    ("holding", "said"), [(running_here, "another pipeline run works here"), (working, "a stage is running here")]
)
def test_a_busy_checkout_keeps_its_settings(
    project: Project, holding: Callable[[Path], AbstractContextManager[None]], said: str
) -> None:
    before = (project.folder / "params.yaml").read_bytes()
    with holding(project.folder):
        done = project.run("python", "-m", "flows.pipeline", "train.seed=7", check=False)
    assert done.returncode == 1
    [line] = done.stdout.strip().splitlines()
    assert said in line
    assert (project.folder / "params.yaml").read_bytes() == before


def test_nothing_is_left_in_the_home_folder(by_flow: tuple[Project, str]) -> None:
    home = Path(by_flow[0].environment["HOME"])
    left = {path.name for path in home.glob(".*")} if home.exists() else set()
    assert not left & {".prefect", ".mlflow", "mlruns"}
