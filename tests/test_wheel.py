"""The wheel has every module of the four packages and every file that they read, and `fm` works from it alone."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fm
from pipelines.registry.model_version import NEEDED_BY_FM
from tests.conftest import ROOT

PACKAGES = ("fm", "pipelines", "flows", "infra")
OF_THE_CHECKOUT = ("infra/compose/", "infra/make-venv.sh", "infra/python.sh")
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"

EXTRAS = {"lightning": "training", "PIL": "data", "pyarrow": "streaming"}
"""What modules of fm import at once and not only when it is needed, and the extra that brings it."""
WHOLE = ("fm.batches", "fm.generator", "fm.metrics", "fm.objectives", "fm.paths", "fm.solvers")
"""What has no need of any extra."""


@pytest.fixture(scope="module")
def ours() -> set[str]:
    """The files of the four packages, as they would be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PACKAGES]
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    return {name for name in listed if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def wheel(ours: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in (*ours, "pyproject.toml", "README.md", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=source, capture_output=True, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel beside links to what it asks for when no extra is named, and to nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(folder)
    for needed in closure(unpacked(folder).requires or ()).values():
        for top in {file.parts[0] for file in needed.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(needed.locate_file(top))))
    return folder


def unpacked(folder: Path) -> Distribution:
    (metadata,) = folder.glob("flow_or_diffusion-*.dist-info")
    return PathDistribution(metadata)


def closure(asked: Iterable[str]) -> dict[str, Distribution]:
    """The installed packages that these requirements name, and those that they need in their turn."""
    found: dict[str, Distribution] = {}
    waiting = list(asked)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found or not (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # of an accelerator that this environment has no packages for
        waiting += found[name].requires or ()
    return found


def run(folder: Path, program: str) -> str:
    """What a program prints for which nothing can be imported but what lies in `folder` and Python itself."""
    start = f"import sys; sys.path.append({str(folder)!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start + program],
        cwd=folder.parent,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_is_complete(wheel: Path, ours: set[str]) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == {name for name in ours if not name.startswith(OF_THE_CHECKOUT)}
    assert "fm/py.typed" in packed


def test_its_version_is_that_of_fm(alone: Path) -> None:
    assert unpacked(alone).version == fm.__version__


def test_fm_needs_little_by_itself(alone: Path) -> None:
    needed = {
        canonicalize_name(Requirement(text).name) for text in unpacked(alone).requires or () if "extra" not in text
    }
    assert needed == {"torch", "numpy", "scipy", "pydantic", "safetensors", "torchdiffeq"}
    assert needed <= set(NEEDED_BY_FM), "a registered model asks for all of it where it is served"


def test_the_quickstart_runs_without_the_extras(alone: Path) -> None:
    (quickstart,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(quickstart.splitlines()) <= 16
    said, distance = run(alone, quickstart).split()
    assert said == "distance"
    assert float(distance) < 3  # 30 untrained


def test_a_module_that_cannot_be_imported_wants_an_extra(alone: Path) -> None:
    program = """if True:
        import importlib, json, pkgutil
        import fm
        missing = {}
        for module in pkgutil.walk_packages(fm.__path__, "fm."):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                missing[module.name] = error.name
        print(json.dumps(missing))
    """
    missing = json.loads(run(alone, program))
    extras = {canonicalize_name(extra) for extra in unpacked(alone).metadata.get_all("Provides-Extra") or ()}
    assert set(missing.values()) == EXTRAS.keys()
    assert set(EXTRAS.values()) <= extras
    assert not [name for name in missing if name.startswith(WHOLE) and not name.startswith("fm.metrics.extractors")]
