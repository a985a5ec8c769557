"""What holds of the stages of dvc.yaml together."""

import ast
from pathlib import Path

import yaml

from pipelines.project import ROOT


def modules() -> set[str]:
    """Those that the stages' commands run."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    return {stage.get("do", stage)["cmd"].split(" -m ")[1].split()[0] for stage in stages}


def imported(file: Path) -> set[str]:
    """All that a file imports, wherever in it, modules and names in them alike."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_nothing_imports_a_stage() -> None:
    """What two of them need is a module below both."""
    files = [file for package in ("fm", "pipelines", "flows", "infra") for file in (ROOT / package).rglob("*.py")]
    assert {"pipelines.train", "pipelines.compare"} <= modules()
    assert not {str(file) for file in files if imported(file) & modules()}
