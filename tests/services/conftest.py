"""The team's services, for real, in a copy of this project: one set for all tests here."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from dotenv import dotenv_values

from infra.services import postgres
from pipelines.records.logins import basic
from tests.conftest import Project, checkout
from tests.ports import free_run
from tests.postgres import let_through

QUICK: dict[str, Any] = {
    "train.images_seen": 1280,
    "evaluate.images": 80,
    "methods.flow_matching.samplers": [{"solver": "euler", "steps": [10]}],
    "methods.diffusion.samplers": [{"solver": "ddim", "steps": [10]}],
}
ALONE: dict[str, Any] = {
    "train.seed": 1,
    "evaluate.images": 80,
    "methods": {
        "flow_matching": {
            "objective": {
                "path": "cond_ot",
                "coupling": "independent",
                "timesteps": "uniform",
                "target": "velocity",
                "weight": "flat",
            },
            "network": None,
            "samplers": [{"solver": "euler", "steps": [10]}],
        }
    },
}
"""One method and no other."""
FINAL = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")


BEFORE_VARIABLE = "SERVICES_TESTS_BEFORE"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where the time is limited, as in CI, let a test that begins too late be skipped by name, not cut off."""
    before = os.environ.get(BEFORE_VARIABLE)
    if before is not None and time.time() > float(before):
        pytest.skip(f"no time left: {BEFORE_VARIABLE} is over ({time.ctime(float(before))})")


class Services:
    """Services that run in a checkout, and how to ask them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.refresh()

    def refresh(self) -> None:
        """Take .env as it is now, as a shell would."""
        self.settings = {name: value or "" for name, value in dotenv_values(self.project.folder / ".env").items()}
        self.project.environment |= self.settings

    @property
    def login(self) -> dict[str, str]:
        """The header by which Prefect lets somebody in."""
        return basic(self.settings["PREFECT_API_AUTH_STRING"])

    def make(self, target: str, *variables: str, check: bool = True) -> str:
        done = subprocess.run(
            ["make", target, *variables],
            cwd=self.project.folder,
            env=self.project.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout
        return done.stdout

    def prefect(self, path: str, content: object | None = None) -> Any:
        """Ask Prefect's API: POST with content, GET without."""
        request = Request(
            f"{self.settings['PREFECT_API_URL']}/{path}",
            data=None if content is None else json.dumps(content).encode(),
            headers={"Content-Type": "application/json", **self.login},
        )
        with urlopen(request, timeout=30) as response:
            return json.load(response)

    def run_deployment(self, deployment: str, /, **parameters: Any) -> str:
        """Start a deployed flow as a person at a shell does; the run's id."""
        told = self.project.run("prefect", "deployment", "run", deployment, "--params", json.dumps(parameters)).stdout
        found = re.search(r"UUID: (\S+)", told)
        assert found, told
        return found[1]

    def ended(self, run: str, seconds: float = 900) -> dict[str, Any]:
        """The run once it has ended."""
        return self.wait(run, FINAL, seconds)

    def wait(self, run: str, states: tuple[str, ...], seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (found := self.prefect(f"flow_runs/{run}"))["state"]["type"] not in states:
            assert time.monotonic() < deadline, found["state"]
            time.sleep(1)
        return dict(found)

    def log(self, run: str) -> str:
        found = self.prefect("logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"})
        return "\n".join(line["message"] for line in found)


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    try:
        postgres.binaries()
    except postgres.PostgresError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("team")
    let_through(folder)
    project = checkout(folder / "project")
    (project.folder / ".env").write_text("".join(f"{name}={port}\n" for name, port in free_ports().items()))
    running = Services(project)
    try:
        running.make("services")
        running.refresh()
        yield running
    finally:
        running.make("services-stop", check=False)


@pytest.fixture(scope="session")
def first_run(services: Services) -> dict[str, Any]:
    """A run that somebody has triggered, with overrides."""
    run = services.run_deployment("pipeline/pipeline", overrides=QUICK)
    found = services.ended(run)
    assert found["state"]["type"] == "COMPLETED", services.log(run)
    return found


def branch_of(run: dict[str, Any]) -> str:
    """Where a pipeline run says that it has left what it has made."""
    return str(run["state"]["message"]).rpartition(" on the branch ")[2].removesuffix(".")


def free_ports() -> dict[str, int]:
    """Ports that nobody has now; the internal ones follow one another."""
    with_next = ("POSTGRES_PORT", "S3_PORT", "MLFLOW_PORT", "PREFECT_PORT", "S3_INTERNAL_PORTS")
    return dict(zip(with_next, (free_run(1), free_run(1), free_run(1), free_run(1), free_run(7)), strict=True))


def processes_of(folder: Path) -> list[str]:
    """The command lines of the processes that work in a folder or were started from it."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            if str(folder) in line or str(folder) in process.cwd():
                found.append(line)
        except psutil.Error:
            continue
    return found


def wait_until(holds: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)
