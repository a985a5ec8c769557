"""dvc.yaml declares what the stages really depend on."""

import ast
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("fm", "pipelines", "flows")
STAGES = {
    name: stage.get("do", stage) for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items()
}


def file_of(module: str) -> Path | None:
    """The file of one of our modules, relative to the root."""
    base = Path(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if (ROOT / candidate).is_file():
            return candidate
    return None


@cache
def imports(file: Path) -> frozenset[Path]:
    """Our files that `file` imports, wherever in it, and the packages they lie in."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide what is imported"
            modules |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {module for module in modules if module.split(".")[0] in PACKAGES}
    with_parents = {".".join(m.split(".")[: i + 1]) for m in ours for i in range(len(m.split(".")))}
    return frozenset(found for module in with_parents if (found := file_of(module)))


def needed(module: str) -> set[Path]:
    """All of our files that importing `module` can reach. `fm.Generator` is imported on demand, not by all."""
    start = file_of(module)
    assert start is not None
    seen, waiting = set(), [start, Path(module.split(".")[0], "__init__.py")]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            if file != Path("fm/__init__.py"):
                waiting += imports(file)
    return seen


def modules_of(stage: dict) -> list[str]:
    commands = stage["cmd"] if isinstance(stage["cmd"], list) else [stage["cmd"]]
    return [command.split(" -m ")[1].split()[0] for command in commands]


def needed_by(stage: dict) -> set[Path]:
    return set().union(*(needed(module) for module in modules_of(stage)))


@pytest.mark.parametrize("name", STAGES)
def test_every_import_is_a_dependency(name: str) -> None:
    declared = [Path(dependency) for dependency in STAGES[name]["deps"]]
    missing = {
        str(file) for file in needed_by(STAGES[name]) if not any(file == one or one in file.parents for one in declared)
    }
    assert not missing, f"dvc.yaml, stage {name}: add to deps: {', '.join(sorted(missing))}"


@pytest.mark.parametrize("name", STAGES)
def test_no_code_is_declared_that_is_not_used(name: str) -> None:
    used = needed_by(STAGES[name])
    code = [Path(one) for one in STAGES[name]["deps"] if one.endswith(".py")]
    assert not {str(one) for one in code} - {str(one) for one in used}


def test_nothing_imports_a_stage() -> None:
    """What two of them need is a module below both."""
    stages = {file_of(module) for stage in STAGES.values() for module in modules_of(stage)}
    everything = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    assert len(stages) == len(STAGES)
    importing = {str(file.relative_to(ROOT)) for file in everything if imports(file.relative_to(ROOT)) & stages}
    assert not importing


def test_the_walk_sees_through_packages() -> None:
    assert Path("fm/networks/unet.py") in needed("pipelines.train")
    assert Path("fm/networks/unet.py") not in needed("pipelines.prepare")
    assert not any(file.parts[0] == "flows" for stage in STAGES.values() for file in needed_by(stage))
