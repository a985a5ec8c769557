import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fm.errors import UserError
from pipelines import project
from pipelines.project import compute_slot, main_checkout, require_repository, slots_dir, whole_file, whole_folder


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
        told = waiter.stdout.readline()
        assert told.startswith("waiting for the compute slot: a program has it since ")
        assert told.endswith(f", in {project.ROOT} (process {holder.pid})\n")
        holder.kill()
        assert waiter.stdout.readline().strip() == "has the compute slot"
        assert waiter.stdout.readline().strip() == "held"
        with compute_slot("another"):
            assert (tmp_path / "compute-another.holder").exists()
        assert {file.name for file in tmp_path.glob("*.holder")} == {"compute-test.holder"}
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


def test_a_cache_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for folder in (Path("/sys"), tmp_path / "file"):
        monkeypatch.setenv("PIPELINE_CACHE", str(folder))
        with pytest.raises(UserError, match=rf"^{folder}: the cache can't be written to \(.*\): set PIPELINE_CACHE to"):
            project.cache_dir.__wrapped__()


def test_checkpoints_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIPELINE_CHECKPOINTS", raising=False)
    assert project.checkpoints_elsewhere("train@edm", "a key") is None
    monkeypatch.setenv("PIPELINE_CHECKPOINTS", "s3://bucket/prefix/")
    assert project.checkpoints_elsewhere("train@edm", "a key") == "s3://bucket/prefix/train@edm/a key"
    monkeypatch.setenv("PIPELINE_CHECKPOINTS", "rubbish")
    with pytest.raises(UserError, match=r"^PIPELINE_CHECKPOINTS = rubbish: must be s3://bucket/prefix, "):
        project.checkpoints_elsewhere("train@edm", "a key")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "our project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "start")
    return folder


def test_worktrees_share_the_cache_of_the_checkout_they_were_made_from(repository: Path) -> None:
    git(repository, "worktree", "add", "--quiet", "../worktree")
    assert main_checkout(repository.parent / "worktree") == main_checkout(repository) == repository


def test_a_submodule_keeps_its_cache_and_so_do_its_worktrees(repository: Path, tmp_path: Path) -> None:
    around = tmp_path / "around"
    around.mkdir()
    git(around, "init", "--quiet")
    git(around, "submodule", "add", "--quiet", str(repository), "part")
    git(around / "part", "worktree", "add", "--quiet", str(tmp_path / "worktree"))
    assert main_checkout(around / "part") == main_checkout(tmp_path / "worktree") == around / "part"


def test_without_git_the_cache_is_in_the_folder(tmp_path: Path) -> None:
    assert main_checkout(tmp_path) == tmp_path


def test_a_checkout_that_dvc_makes_for_an_experiment_belongs_to_the_one_around_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = repository / ".dvc" / "tmp" / "exps" / "standalone" / "tmp123"
    experiment.mkdir(parents=True)
    monkeypatch.setattr(project, "ROOT", experiment)
    assert project.owner() == repository
    monkeypatch.setattr(project, "ROOT", repository)
    assert project.owner() == repository


def test_a_downloaded_zip_is_told_what_it_lacks(tmp_path: Path, repository: Path) -> None:
    require_repository(repository)
    with pytest.raises(UserError, match=r"not a git repository(.|\n)*git init"):
        require_repository(tmp_path)
    git(tmp_path, "init", "--quiet")  # and no commit
    with pytest.raises(UserError, match="git commit"):
        require_repository(tmp_path)
