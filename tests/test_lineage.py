"""From a registered model to what it was made of, and back: on a model that the pipeline has trained."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from tests.conftest import Project

pytestmark = pytest.mark.runs

MODEL = "digits-generator@champion"


def lineage(project: Project, *arguments: str, check: bool = True) -> str:
    done = project.run("python", "-m", "pipelines.lineage", *arguments, check=check)
    assert done.returncode == (0 if check else 1), done.stdout
    return done.stdout


def states(printed: str) -> dict[str, str]:
    """What is said of each link."""
    known = (
        "generator", "served code", "data", "git commit", "uncommitted changes", "parameters", "lock file",
        "trained weights", "training run", "evaluation run", "registration run", "Prefect run", "weights",
    )  # fmt: skip
    found = {}
    for line in printed.splitlines():
        name = next((name for name in known if line.startswith(f"{name} ")), None)
        if name is not None:
            found[name] = line.removeprefix(name).split()[0]
    return found


def test_every_link_of_the_champion_holds(by_flow: tuple[Project, str]) -> None:
    project, _ = by_flow
    found = states(lineage(project, MODEL))
    assert found.pop("Prefect run") == "unknown"  # the flow's own server is gone
    assert found == dict.fromkeys(found, "ok")
    assert len(found) == 11


def test_what_is_lost_or_damaged_is_named(by_flow: tuple[Project, str], tmp_path: Path) -> None:
    project, _ = by_flow
    md5 = yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]["prepare"]["outs"][0]["md5"]
    kept = Path(project.run("dvc", "cache", "dir").stdout.strip()) / "files" / "md5" / md5[:2] / md5[2:]
    shutil.copy2(kept, tmp_path / "kept")
    try:
        kept.unlink()
        printed = lineage(project, MODEL, check=False)
        assert states(printed)["data"] == "missing"
        assert "there is no remote" in printed
        kept.write_text("[]")
        printed = lineage(project, MODEL, check=False)
        assert states(printed)["data"] == "missing"
        assert f"damaged in DVC's cache {kept.parent.parent}: {md5}" in printed
    finally:
        kept.unlink()
        shutil.copy2(tmp_path / "kept", kept)


def test_a_deleted_run_is_missed(by_flow: tuple[Project, str]) -> None:
    project, _ = by_flow
    store = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    run_id = store.get_model_version_by_alias("digits-generator", "champion").tags["evaluation.run_id"]
    store.delete_run(run_id)
    try:
        assert states(lineage(project, MODEL, check=False))["evaluation run"] == "missing"
    finally:
        store.restore_run(run_id)


ASKED = """
import json, sys
from fm.errors import UserError
from pipelines.lineage.__main__ import main

for asked in json.loads(sys.argv[1]):
    sys.argv[1:] = asked
    try:
        main()
    except UserError as error:
        print(error)
"""


def answers(project: Project, *asked: list[str]) -> list[str]:
    """A line for each, of one process: it takes seconds to start."""
    return project.run("python", "-c", ASKED, json.dumps(asked)).stdout.splitlines()


def test_and_back(by_flow: tuple[Project, str]) -> None:
    project, _ = by_flow
    store = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    tags = store.get_model_version_by_alias("digits-generator", "champion").tags
    told = answers(
        project,
        ["--commit", "HEAD"],
        ["--data", tags["data.md5"]],
        ["--params", tags["params.md5"]],
        ["--run", tags["training.run_id"]],
        ["--run", tags["evaluation.run_id"], "--commit", "HEAD"],
    )
    assert [line.partition("  ")[0] for line in told] == ["digits-generator/1"] * 5


def test_what_cannot_be_is_one_line(by_flow: tuple[Project, str]) -> None:
    no_alias, no_version, nothing, nobodys = answers(
        by_flow[0], ["digits-generator"], ["digits-generator/7"], [], ["--data", "0" * 32]
    )
    assert "must be MODEL@ALIAS or MODEL/VERSION" in no_alias
    assert "has no version 7" in no_version
    assert "name a model" in nothing
    assert nobodys == "no registered version comes from that"
