"""The virtual environment's programs, and Python as the stages start it."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from infra.relocatable import relocate
from pipelines.project import ROOT

PROGRAM = "import shutil, sys\nprint(sys.prefix, shutil.which('other'), *sys.argv[1:], sep='|')\n"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    folder = tmp_path / "here" / ".venv"
    venv.create(folder, with_pip=False, symlinks=True)
    return folder


@pytest.mark.parametrize(
    "head",
    ["#!{}\n", "#!/bin/sh\n'''exec' \"{}\" \"$0\" \"$@\"\n' '''\n"],
    ids=["pip's", "pip's where the path has a space"],
)
def test_programs_of_a_moved_environment_start_and_find_each_other(
    environment: Path, tmp_path: Path, head: str
) -> None:
    for name in ("program", "other"):
        file = environment / "bin" / name
        file.write_text(head.format(environment / "bin" / "python") + PROGRAM)
        file.chmod(0o755)
    relocate(environment / "bin")
    once = (environment / "bin" / "program").read_bytes()
    relocate(environment / "bin")
    assert (environment / "bin" / "program").read_bytes() == once

    moved = tmp_path / "moved here" / ".venv"
    moved.parent.mkdir()
    environment.rename(moved)
    (tmp_path / "linked").symlink_to(moved / "bin" / "program")
    for started in (moved / "bin" / "program", Path("moved here/.venv/bin/program"), tmp_path / "linked"):
        done = subprocess.run(
            [started, "a b", "c"], cwd=tmp_path, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"}
        )
        assert done.stdout.decode().strip() == f"{moved}|{moved / 'bin' / 'other'}|a b|c"


def test_other_files_stay_as_they_are(tmp_path: Path) -> None:
    kept = {"shell": b"#!/bin/sh\necho\n", "binary": b"\x7fELF\0", "tool": b"#!/usr/bin/env perl\n"}
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "python").symlink_to(sys.executable)
    relocate(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in kept} == kept
    assert (tmp_path / "python").is_symlink()


def python(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        ["sh", ROOT / "infra" / "python.sh", *arguments], cwd=folder, capture_output=True, check=False
    )


def test_stages_find_the_environment_of_the_checkout_around_an_experiment(environment: Path) -> None:
    experiment = environment.parent / ".dvc" / "tmp" / "exps" / "standalone" / "tmp123"
    experiment.mkdir(parents=True)
    for folder in (environment.parent, experiment):
        done = python(folder, "-c", "import sys; print(sys.prefix, *sys.argv[1:])", "a b")
        assert done.stdout.decode().strip() == f"{environment} a b"
    shutil.rmtree(environment)
    done = python(experiment, "-V")
    assert done.returncode == 1
    assert b"make venv" in done.stderr
