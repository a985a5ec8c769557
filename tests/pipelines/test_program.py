import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from fm.errors import UserError
from pipelines import program
from pipelines.project import ROOT

FILES = [
    file
    for file in sorted((ROOT / "pipelines").rglob("*.py"))
    if "\nif __name__ ==" in file.read_text(encoding="utf-8")
]


def name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT / "pipelines").with_suffix("").parts)


def test_every_program_explains_itself() -> None:
    with_options = {name(file) for file in FILES if "ArgumentParser(" in file.read_text(encoding="utf-8")}
    assert with_options | program.PLAIN.keys() == {name(file) for file in FILES}
    assert not with_options & program.PLAIN.keys()


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_comes_before_pytorch(option: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pipelines.train", option]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.startswith(b"usage: python -m pipelines.train METHOD\n")
    assert b"under the common budget" in done.stdout
    assert b" torch" not in done.stderr


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        (["train.py"], "pipelines.train METHOD"),
        (["train.py", "a", "b"], "pipelines.train METHOD"),
        (["prepare.py", "now"], "pipelines.prepare"),
        (["study/report.py", "full"], "pipelines.study.report STUDY CHECKOUT"),
    ],
)
def test_too_many_or_too_few_arguments_are_answered_by_the_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: list[str], usage: str
) -> None:
    monkeypatch.setattr(sys, "argv", [str(ROOT / "pipelines" / given[0]), *given[1:]])
    with pytest.raises(UserError, match=f"usage: python -m {usage}$"):
        program.require_arguments()


def test_the_right_number_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    for file, *arguments in (
        ["train.py", "diffusion"],
        ["prepare.py"],
        ["report/page.py", "x"],
        ["serve.py", "--port"],
    ):
        monkeypatch.setattr(sys, "argv", [os.fspath(ROOT / "pipelines" / file), *arguments])
        program.require_arguments()


REFUSED = """
import os
from fm.errors import UserError
from pipelines import program
program.WAIT_SECONDS = 60
def main():
    raise UserError("process " + os.environ["LOCAL_RANK"])
program.run(main)
"""


def test_of_torchruns_processes_the_first_tells(tmp_path: Path) -> None:
    logs = DefaultLogsSpecs(log_dir=str(tmp_path), redirects=Std.ALL)
    config = LaunchConfig(1, 1, 2, rdzv_backend="c10d", rdzv_endpoint="127.0.0.1:0", max_restarts=0, logs_specs=logs)
    with pytest.raises(ChildFailedError):
        elastic_launch(config, sys.executable)("-c", REFUSED)
    assert "".join(file.read_text() for file in sorted(tmp_path.rglob("stderr.log"))) == "process 0\n"


@pytest.mark.parametrize(
    ("started", "known"),
    [
        (["python", "-u", "-m", "pipelines.train", "one"], "train"),
        (["python", "-Pm", "pipelines.study.report"], "study.report"),
        (["python", "-mpipelines.train"], None),
        (["python", "-m", "train"], None),
    ],
)
def test_a_program_of_ours_is_known_while_it_is_imported(
    started: list[str], known: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["-m"])
    monkeypatch.setattr(sys, "orig_argv", started)
    assert program.program_started() == known
