import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fm.errors import UserError
from pipelines import project
from pipelines.project import compute_slot, slots_dir, whole_file, whole_folder


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with whole_folder(target) as folder:
        (folder / "a").write_text("1")
        assert not target.exists()
    with pytest.raises(RuntimeError), whole_folder(target) as folder:
        (folder / "b").write_text("2")
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["a"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    with whole_file(target) as partial:
        partial.write_text("1")
    with pytest.raises(RuntimeError), whole_file(target) as partial:
        partial.write_text("2")
        raise RuntimeError
    assert target.read_text() == "1"
    assert list(target.parent.iterdir()) == [target]


HOLD = """
import sys, time
from pipelines.project import compute_slot
with compute_slot("test"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_compute_slot_is_one_and_comes_back_from_the_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_SLOTS", str(tmp_path))
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, cwd=project.ROOT)
    waiter = None
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        waiter = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, cwd=project.ROOT)
        assert waiter.stdout is not None
        assert waiter.stdout.readline().startswith("waiting for the compute slot")
        holder.kill()
        assert waiter.stdout.readline().strip() == "held"
        with compute_slot("another"):
            pass
    finally:
        for process in filter(None, (holder, waiter)):
            process.kill()
            process.wait()


def test_all_checkouts_of_a_user_share_the_slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIPELINE_SLOTS", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ours = slots_dir()
    assert ours.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("PIPELINE_CACHE", str(tmp_path / "another"))
    monkeypatch.setattr(project, "ROOT", tmp_path)
    assert slots_dir() == ours
    shutil.rmtree(ours)
    ours.symlink_to(tmp_path)  # by somebody who waits for what we write there
    with pytest.raises(UserError, match="PIPELINE_SLOTS"):
        slots_dir()
