"""A checkout beside the user's, by real git and DVC."""

import subprocess
from pathlib import Path

import pytest

from flows.workspace import WorkspaceError, workspace


def git(where: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (root / ".gitignore").write_text("/.venv\n/.cache\n")
    (root / ".venv").mkdir()
    (root / "code.py").write_text("one\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "one")
    return root


def test_is_what_the_user_has_now_uncommitted_changes_included(checkout: Path) -> None:
    (checkout / "code.py").write_text("two\n")
    (checkout / "new.py").write_text("new\n")
    place = workspace(checkout, checkout / ".cache" / "studies" / "one")
    assert (place / "code.py").read_text() == "two\n"
    assert (place / "new.py").read_text() == "new\n"
    assert (place / ".venv").resolve() == (checkout / ".venv").resolve()
    assert str(checkout / ".dvc" / "cache") in (place / ".dvc" / "config.local").read_text()
    assert "config.local" not in git(place, "status", "--short")


def test_follows_the_user_and_keeps_what_runs_left(checkout: Path) -> None:
    place = workspace(checkout, checkout / ".cache" / "studies" / "one")
    (place / "code.py").write_text("changed by a trial\n")
    (place / "dvc.lock").write_text("left by a run\n")
    (place / "stray.py").write_text("stray\n")
    (checkout / "code.py").write_text("two\n")
    git(checkout, "commit", "-qam", "two")
    assert workspace(checkout, place) == place
    assert (place / "code.py").read_text() == "two\n"
    assert (place / "dvc.lock").read_text() == "left by a run\n"
    assert not (place / "stray.py").exists()
    assert git(checkout, "status", "--short") == ""


def test_a_place_that_was_removed_by_hand_is_made_anew(checkout: Path) -> None:
    place = workspace(checkout, checkout / ".cache" / "studies" / "one")
    (place / ".git").unlink()
    assert (workspace(checkout, place) / "code.py").exists()


def test_without_a_commit_there_is_nothing_to_check_out(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="no git repository with a commit"):
        workspace(tmp_path, tmp_path / "place")
