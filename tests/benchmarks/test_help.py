"""Every benchmark says what it measures, and how it is asked, without measuring it."""

import runpy
from pathlib import Path

import pytest

from pipelines.project import ROOT

FILES = sorted(Path(ROOT, "benchmarks").glob("*.py"))
PROGRAMS = [path for path in FILES if "__main__" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_help_is_given(program: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [program.stem, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(program), run_name="__main__")
    assert ended.value.code == 0
    assert "usage: " in capsys.readouterr().out
