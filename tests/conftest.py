"""A copy of this project on small settings, for tests that run it as its users do."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling

# First of ours: it settles the surroundings, before anything imports PyTorch or starts git.
from pipelines.project import SLOTS_VARIABLE

if TYPE_CHECKING:
    from tests.store import Store

# For this process and all it starts: in networks so small a second thread only waits.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"

SMALL: dict[str, Any] = {
    "dataset.name": "digits",
    "network.width": 16,
    "network.multipliers": [1],
    "train.images_seen": 6400,
    "train.checkpoint_every": 10,
    "evaluate.images": 100,
    "evaluate.sets": 2,
    "probe": {"images": 8, "steps": 100, "rounds": 4},
    "methods.flow_matching.samplers": [{"solver": "euler", "steps": [2, 10]}, {"solver": "midpoint", "steps": [5]}],
    "methods.diffusion.samplers": [{"solver": "ddim", "steps": [2, 10]}, {"solver": "ddpm", "steps": [10]}],
}


class Project:
    """A checkout in a folder of its own, with a home folder and caches of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIPELINE_", "PREFECT_", "MLFLOW_"))
        }
        self.environment = kept | {
            "HOME": str(folder.parent / "home"),
            "DVC_SITE_CACHE_DIR": str(folder.parent / "dvc"),
            SLOTS_VARIABLE: str(folder.parent / "slots"),
        }

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one of .venv/bin's programs in the checkout; its output is one text."""
        done = subprocess.run(
            [f".venv/bin/{command[0]}", *command[1:]],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
        return done

    def set(self, **settings: Any) -> None:
        """Change params.yaml; keys have two underscores for a dot."""
        self.set_all({key.replace("__", "."): value for key, value in settings.items()})

    def set_all(self, settings: dict[str, Any]) -> None:
        file = self.folder / "params.yaml"
        content = yaml.safe_load(file.read_text())
        for key, value in settings.items():
            *parents, last = key.split(".")
            section = content
            for parent in parents:
                section = section[parent]
            section[last] = value
        file.write_text(yaml.safe_dump(content, sort_keys=False))


def checkout(folder: Path) -> Project:
    """The working tree as it is now, committed in a new repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    written = ("metrics/", "reports/", "dvc.lock")
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith(written):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    (folder / ".venv").symlink_to(BIN.parent)
    project = Project(folder)
    project.set_all(SMALL)
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "start"]):
        subprocess.run(["git", *command], cwd=folder, check=True, env=project.environment)
    return project


TOGETHER = {
    "tests/test_lineage.py": "by_flow",
    "tests/test_pipeline.py": "by_flow",
    "tests/test_study.py": "by_flow",
    "tests/flows/test_generate.py": "prefect_server",
    "tests/flows/test_mistakes.py": "prefect_server",
    "tests/flows/test_promotion.py": "prefect_server",
    "tests/flows/test_run.py": "prefect_server",
    "tests/flows/test_server.py": "prefect_server",
    "tests/flows/test_slots.py": "prefect_server",
    "tests/flows/test_summary.py": "prefect_server",
}
"""Files that need the same fixture of a while; of the others each is by itself."""


class Together(LoadScopeScheduling):
    """Gives each process of pytest-xdist whole files, and those with the same long run to the same process.

    pytest-xdist's own groups (3.8) have no effect with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return TOGETHER.get(file, file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs come first: what is left for the end are short ones."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh small checkout; nothing has been run in it."""
    return checkout(tmp_path / "project")


def copied(project: Project, folder: Path) -> Project:
    """All of a project in another folder, and caches of its own."""
    shutil.copytree(project.folder, folder, symlinks=True)
    return Project(folder)


def made_once(base: Path, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of this name that all processes of pytest-xdist share; the first that needs it fills it."""
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            (folder / "made").touch()
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after `dvc repro features`, of which tests take copies."""

    def make(folder: Path) -> None:
        checkout(folder / "project").run("dvc", "repro", "features")

    return Project(made_once(tmp_path_factory.getbasetemp(), "prepared", make) / "project")


@pytest.fixture(scope="session")
def by_flow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project after its first `python -m flows.pipeline`, and what that printed."""
    project = checkout(tmp_path_factory.mktemp("flow") / "our project")
    return project, project.run("python", "-m", "flows.pipeline").stdout


@pytest.fixture(scope="session")
def by_dvc(tmp_path_factory: pytest.TempPathFactory, prepared: Project) -> Project:
    """A copy of a project after its first `dvc repro`."""

    def make(folder: Path) -> None:
        copied(prepared, folder / "project").run("dvc", "repro")

    made = made_once(tmp_path_factory.getbasetemp(), "by_dvc", make)
    return copied(Project(made / "project"), tmp_path_factory.mktemp("dvc") / "project")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Store"]:
    """An S3 store with nothing in it."""
    from tests.store import running

    with running(tmp_path_factory.mktemp("store")) as found:
        yield found
