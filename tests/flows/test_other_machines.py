"""What a stage needs and makes travels through DVC's remote: two checkouts that share git and a remote alone."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from flows.commands import Outcome, Runner, StepFailed
from flows.graph import DVC
from flows.processes import Processes
from fm.errors import UserError
from pipelines.push import push
from tests.flows import project

STAGES = """
first: {cmd: "echo 1 > first.txt", outs: [first.txt]}
part: {cmd: "mkdir -p parts && echo 2 > parts/two.txt", outs: [parts/two.txt]}
together: {cmd: "cat parts/* > all.txt", deps: [parts], outs: [all.txt]}
trained:
  cmd: cp first.txt model.txt && echo '{"loss":1}' > figures.json
  deps: [first.txt]
  outs: [model.txt]
  metrics: [figures.json: {cache: false}]
"""


def dvc(where: Path, *arguments: str) -> None:
    subprocess.run([DVC, *arguments], cwd=where, check=True, capture_output=True)


def git(where: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=where, check=True, capture_output=True)


def run(root: Path, name: str, pull: bool = True) -> Outcome:
    with Processes(grace=5) as processes:
        runner = Runner(root, os.environ, processes)
        if pull:
            runner.pull_needs(name, lambda line: None)
        return runner.stage(name, lambda line: None, pull=pull)


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Path, Path]:
    """Here, where the first stage has run and was pushed, and another machine with the lock file alone."""
    here = project.make(tmp_path / "here", STAGES)
    dvc(here, "remote", "add", "--default", "storage", str(tmp_path / "remote"))
    assert run(here, "first", pull=False) is Outcome.EXECUTED
    push(here, "first")
    assert run(here, "part", pull=False) is Outcome.EXECUTED
    push(here, "part")
    git(here, "add", "-A")
    git(here, "commit", "-qm", "first")
    git(tmp_path, "clone", "-q", str(here), "there")
    return here, tmp_path / "there"


def test_it_runs_there_and_is_restored_here(machines: tuple[Path, Path]) -> None:
    here, there = machines
    assert run(there, "trained") is Outcome.EXECUTED
    push(there, "trained")

    assert run(here, "trained") is Outcome.RESTORED

    assert (here / "model.txt").read_text() == "1\n"
    assert (here / "figures.json").read_text() == '{"loss":1}\n'
    locks = [yaml.safe_load((where / "dvc.lock").read_text())["stages"]["trained"] for where in machines]
    assert locks[0] == locks[1]


def test_a_folder_of_other_stages_outputs_is_there(machines: tuple[Path, Path]) -> None:
    _, there = machines
    assert run(there, "together") is Outcome.EXECUTED
    assert (there / "all.txt").read_text() == "2\n"


def test_what_was_not_pushed_is_missed_there(machines: tuple[Path, Path], tmp_path: Path) -> None:
    for file in (tmp_path / "remote").rglob("*"):
        if file.is_file():
            file.unlink()
    with pytest.raises(StepFailed, match="pulling what trained needs failed"):
        run(machines[1], "trained")


def test_without_a_remote_it_is_said(tmp_path: Path) -> None:
    here = project.make(tmp_path / "here", STAGES)
    run(here, "first", pull=False)
    with pytest.raises(UserError, match="no remote specified"):
        push(here, "first")
