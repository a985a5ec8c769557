"""Stages on two machines: two clones that share git, S3, Prefect and MLflow, and nothing else."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.conftest import BIN, Project
from tests.services.conftest import ALONE, Services, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]


@pytest.fixture
def origin(services: Services, tmp_path: Path) -> Iterator[Path]:
    """A repository that everybody can reach."""
    place = tmp_path / "origin.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(services.project.folder), str(place)], check=True)
    git(services.project.folder, "remote", "add", "origin", str(place))
    yield place
    git(services.project.folder, "remote", "remove", "origin")


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
        return any("pipelines.train" in " ".join(one.cmdline()) for one in self.family() if one.is_running())

    def vanish(self) -> None:
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.worker.wait()


@pytest.fixture
def machines(services: Services, origin: Path, tmp_path: Path) -> Iterator[list[Machine]]:
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name / "checkout"
        subprocess.run(["git", "clone", "-q", str(origin), str(folder)], check=True)
        (folder / ".venv").symlink_to(BIN.parent)
        shutil.copy2(services.project.folder / ".env", folder / ".env")
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
    services: Services, machines: list[Machine], by_dvc: Project
) -> None:
    run = services.run_deployment("pipeline/pipeline", queue="gpu", revision="HEAD")
    found = services.ended(run, 1500)
    assert found["state"]["type"] == "COMPLETED", services.log(run)

    folders = [machine.clone.folder for machine in machines]
    where = stages_of(services, run)
    places = {name: next(folder for folder in folders if str(folder) in said) for name, said in where.items()}
    assert places["train@flow_matching"] != places["train@diffusion"]
    assert set(places) == set(locked(by_dvc.folder / "dvc.lock")) - {"prepare"}
    lock = services.project.folder.parent / "dvc.lock"
    lock.write_text(git(services.project.folder, "show", f"runs/{found['name']}:dvc.lock"))
    for stage in ("prepare", "train@flow_matching", "train@diffusion"):
        assert outputs(lock, stage) == outputs(by_dvc.folder / "dvc.lock", stage), stage


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


def locked(file: Path) -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load(file.read_text())["stages"]
    return stages


def outputs(file: Path, stage: str) -> dict[str, str]:
    """Path -> md5, without what is measured anew each time."""
    return {one["path"]: one["md5"] for one in locked(file)[stage]["outs"] if not one["path"].startswith("metrics/")}


def git(where: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout
