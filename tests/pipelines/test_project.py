import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.project import compute_slot, whole_file, whole_folder


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
    from pipelines import project

    monkeypatch.setenv("PIPELINE_CACHE", str(tmp_path))
    project.cache_dir.cache_clear()
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
        project.cache_dir.cache_clear()
        for process in filter(None, (holder, waiter)):
            process.kill()
            process.wait()
