"""Stages on two machines: two clones that share git, S3, Prefect and MLflow, and nothing else."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from infra.services.prefect_rules import GONE, START_SECONDS
from tests.conftest import BIN, Project, checkout
from tests.services.conftest import ALONE, QUICK, Services, branch_of, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

TRAININGS = ("train@flow_matching", "train@diffusion")
UNTRAINED = QUICK | {"network.multipliers": None, "train.images_seen": 25_600, "train.seed": 7}
"""A seed of its own, so that no other test's run cache has it; long enough that each machine gets a training: who takes
the feature extractor first is done with it before the other one has trained."""
TOLD = (
    "PREFECT_API_URL",
    "PREFECT_API_AUTH_STRING",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "AWS_ENDPOINT_URL",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)
"""What docs/operate.md says that a worker is told, and no more."""


@pytest.fixture(scope="module", autouse=True)
def taken(services: Services) -> str:
    """A run that a worker took and, before it began, was gone: the other tests pass the time until that is noticed."""
    deployment = services.prefect("deployments/name/pipeline/pipeline")["id"]
    made = services.prefect(f"deployments/{deployment}/create_flow_run", {"state": {"type": "PENDING"}})
    assert made["state"]["type"] == "PENDING"
    return str(made["id"])


@pytest.fixture
def origin(services: Services, tmp_path: Path) -> Iterator[Path]:
    """A repository that everybody can reach."""
    place = tmp_path / "origin.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(services.project.folder), str(place)], check=True)
    git(services.project.folder, "remote", "add", "origin", str(place))
    yield place
    git(services.project.folder, "remote", "remove", "origin")


@pytest.fixture
def one_machine(tmp_path: Path) -> Project:
    """A checkout in which `dvc repro` has trained both methods."""
    project = checkout(tmp_path / "alone" / "project")
    project.set_all(UNTRAINED)
    project.run("dvc", "repro", *TRAININGS)
    return project


@dataclass(frozen=True)
class Machine:
    """A clone with a home folder, a DVC cache and checkpoints of its own, and a worker."""

    clone: Project
    worker: subprocess.Popen[bytes]

    def family(self) -> list[psutil.Process]:
        """The worker and all that it has started."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.worker.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def trains(self) -> bool:
        return any("pipelines.train" in " ".join(command(one)) for one in self.family())

    def vanish(self) -> None:
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.worker.wait()


def command(process: psutil.Process) -> list[str]:
    """Nothing for one that has ended meanwhile, waited for (a zombie) or not."""
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def write_env(file: Path, settings: dict[str, str]) -> None:
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={settings[name]}\n" for name in TOLD))


@pytest.fixture
def machines(services: Services, origin: Path, tmp_path: Path) -> Iterator[list[Machine]]:
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name / "checkout"
        subprocess.run(["git", "clone", "-q", str(origin), str(folder)], check=True)
        (folder / ".venv").symlink_to(BIN.parent)
        write_env(folder / ".env", services.settings)
        clone = Project(folder)
        clone.run("dvc", "remote", "add", "--local", "--default", "storage", "s3://flow-or-diffusion-data/dvc")
        command = [str(BIN / "python"), "-m", "infra.services", "run", "gpu-worker"]
        with (tmp_path / name / "log").open("w") as log:
            worker = subprocess.Popen(command, cwd=folder, env=clone.environment, stdout=log, stderr=log)
        found.append(Machine(clone, worker))
    yield found
    for machine in found:
        machine.worker.terminate()
        machine.worker.wait(60)


def test_each_trains_a_method_and_the_weights_are_those_of_one_machine(
    services: Services, machines: list[Machine], one_machine: Project
) -> None:
    run = services.run_deployment("pipeline/pipeline", queue="gpu", revision="HEAD", overrides=UNTRAINED)
    found = services.ended(run, 1500)
    assert found["state"]["type"] == "COMPLETED", services.log(run)

    folders = [machine.clone.folder for machine in machines]
    where = stages_of(services, run)
    places = {name: next(folder for folder in folders if str(folder) in said) for name, said in where.items()}
    assert places["train@flow_matching"] != places["train@diffusion"]
    by_two = locked(git(services.project.folder, "show", f"{branch_of(found)}:dvc.lock"))
    assert set(places) == set(by_two) - {"resolve", "prepare"}
    by_one = locked((one_machine.folder / "dvc.lock").read_text())
    for stage in ("prepare", *TRAININGS):
        assert outputs(by_two[stage]) == outputs(by_one[stage]), stage


def test_what_a_machine_did_that_vanished_another_does(services: Services, machines: list[Machine]) -> None:
    longer = ALONE | {"train.images_seen": 12800, "register.model_name": "rescued-generator"}
    run = services.run_deployment("pipeline/pipeline", queue="gpu", revision="HEAD", overrides=longer)
    wait_until(lambda: any(machine.trains() for machine in machines), 600)
    gone = next(machine for machine in machines if machine.trains())
    gone.vanish()

    found = services.ended(run, 1200)

    assert found["state"]["type"] == "COMPLETED", services.log(run)
    assert "Crashed on a worker" in services.log(run)
    assert not [said for said in stages_of(services, run).values() if str(gone.clone.folder) in said]


def test_a_run_that_never_began_has_crashed(services: Services, taken: str) -> None:
    found = services.ended(taken, START_SECONDS + 120)
    assert (found["state"]["type"], found["state"]["message"]) == ("CRASHED", GONE)


def stages_of(services: Services, run: str) -> dict[str, str]:
    """Stage -> what its run on a worker said at its end."""
    found: list[dict[str, Any]] = services.prefect(
        "flow_runs/filter", {"flows": {"name": {"any_": ["stage"]}}, "sort": "START_TIME_ASC"}
    )
    return {
        one["name"]: one["state"]["message"]
        for one in found
        if one["parameters"].get("pipeline_run") == run and re.match("On .*, in .*", one["state"]["message"] or "")
    }


def locked(lock: str) -> dict[str, Any]:
    """The stages of a dvc.lock."""
    stages: dict[str, Any] = yaml.safe_load(lock)["stages"]
    return stages


def outputs(stage: dict[str, Any]) -> dict[str, str]:
    """Path -> md5, without what is measured anew each time."""
    return {one["path"]: one["md5"] for one in stage["outs"] if not one["path"].startswith("metrics/")}


def git(where: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout
