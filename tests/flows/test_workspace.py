"""A checkout beside the user's, by real git and DVC."""

import subprocess
from pathlib import Path

import pytest

from flows.remote import RemoteAway
from flows.workspace import branch_for, fetched_commit, keep, run_workspace, workspace
from pipelines.worktree import WorktreeError


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
    with workspace(checkout, checkout / ".cache" / "studies" / "one") as place:
        assert (place / "code.py").read_text() == "two\n"
        assert (place / "new.py").read_text() == "new\n"
        assert (place / ".venv").resolve() == (checkout / ".venv").resolve()
        assert str(checkout / ".dvc" / "cache") in (place / ".dvc" / "config.local").read_text()
        assert "config.local" not in git(place, "status", "--short")


def test_follows_the_user_and_keeps_what_runs_left(checkout: Path) -> None:
    with workspace(checkout, checkout / ".cache" / "studies" / "one") as place:
        (place / "code.py").write_text("changed by a trial\n")
        (place / "dvc.lock").write_text("left by a run\n")
        (place / "stray.py").write_text("stray\n")
        (place / "code" / "metrics").mkdir(parents=True)  # called as a folder that runs write
        (place / "code" / "metrics" / "stray.py").write_text("stray\n")
    (checkout / "code.py").write_text("two\n")
    git(checkout, "commit", "-qam", "two")
    with workspace(checkout, place) as again:
        assert again == place
        assert (place / "code.py").read_text() == "two\n"
        assert (place / "dvc.lock").read_text() == "left by a run\n"
        assert not (place / "stray.py").exists()
        assert not (place / "code").exists()
    assert git(checkout, "status", "--short") == ""


def test_can_be_a_commit_without_what_the_user_has_changed(checkout: Path) -> None:
    (checkout / "code.py").write_text("not committed\n")
    with workspace(checkout, checkout / ".cache" / "studies" / "one", "HEAD") as place:
        assert (place / "code.py").read_text() == "one\n"


def test_is_for_one_at_a_time(checkout: Path) -> None:
    place = checkout / ".cache" / "studies" / "one"
    with workspace(checkout, place):
        again = workspace(checkout, place)
        with pytest.raises(WorktreeError, match="another run works there"), again:
            pass
    with workspace(checkout, place):
        pass


def test_a_place_that_was_removed_by_hand_is_made_anew(checkout: Path) -> None:
    with workspace(checkout, checkout / ".cache" / "studies" / "one") as place:
        (place / ".git").unlink()
    with workspace(checkout, place):
        assert (place / "code.py").exists()


def test_without_a_commit_there_is_nothing_to_check_out(tmp_path: Path) -> None:
    with pytest.raises(WorktreeError, match="no git repository with a commit"), workspace(tmp_path, tmp_path / "place"):
        pass


def test_a_run_has_a_commit_of_its_own_which_goes_when_it_ends(checkout: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    (checkout / "code.py").write_text("two\n")
    git(checkout, "commit", "-qam", "two")
    (checkout / "code.py").write_text("not committed\n")
    with run_workspace(checkout, checkout / ".cache" / "runs", "swift-owl", first) as place:
        assert (place / "code.py").read_text() == "one\n"
        assert git(place, "rev-parse", "HEAD") == first
        assert str(checkout / ".dvc" / "cache") in (place / ".dvc" / "config.local").read_text()
    assert not place.exists()
    assert list((checkout / ".cache" / "runs").iterdir()) == []
    assert len(git(checkout, "worktree", "list").splitlines()) == 1
    assert (checkout / "code.py").read_text() == "not committed\n"


def test_a_run_finds_the_remote_that_the_user_has_set(checkout: Path) -> None:
    (checkout / ".dvc" / "config.local").write_text(
        "[core]\n    remote = storage\n['remote \"storage\"']\n    url = s3://b\n"
    )
    with run_workspace(checkout, checkout / ".cache" / "runs", "swift-owl", "HEAD") as place:
        told = (place / ".dvc" / "config.local").read_text()
    assert "s3://b" in told
    assert str(checkout / ".dvc" / "cache") in told


def test_a_killed_run_s_checkout_goes_with_the_next_and_a_living_one_s_stays(checkout: Path) -> None:
    runs = checkout / ".cache" / "runs"
    with run_workspace(checkout, runs, "living", "HEAD") as living:
        with workspace(checkout, runs / "killed"):
            pass  # nobody holds its lock any more
        with run_workspace(checkout, runs, "next", "HEAD"):
            assert not (runs / "killed").exists()
            assert (living / "code.py").exists()


def test_what_a_run_keeps_is_on_a_branch_and_nowhere_else(checkout: Path) -> None:
    (checkout / ".gitignore").write_text("/.venv\n/.cache\n/metrics\n")
    git(checkout, "commit", "-qam", "ignore")
    before = git(checkout, "rev-parse", "HEAD")
    with run_workspace(checkout, checkout / ".cache" / "runs", "swift-owl", "HEAD") as place:
        (place / "metrics").mkdir()
        (place / "metrics" / "one.json").write_text("{}")
        (place / "code.py").write_text("not to be kept\n")
        keep(place, "runs/swift-owl", ["metrics", "dvc.lock"], "Pipeline run swift-owl")
        assert git(place, "rev-parse", "HEAD") == before
        assert git(place, "status", "--short") == "M code.py"
    assert git(checkout, "show", "runs/swift-owl:metrics/one.json") == "{}"
    assert git(checkout, "show", "runs/swift-owl:code.py") == "one"
    assert git(checkout, "rev-parse", "HEAD", "runs/swift-owl~") == f"{before}\n{before}"
    assert git(checkout, "status", "--short") == ""


def test_a_revision_that_is_none_is_named(checkout: Path) -> None:
    wrong = run_workspace(checkout, checkout / ".cache" / "runs", "swift-owl", "mian")
    with pytest.raises(WorktreeError, match="revision 'mian': no such commit, branch or tag"), wrong:
        pass


def test_what_a_run_keeps_later_follows_and_a_new_run_of_the_same_name_does_not(checkout: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    with run_workspace(checkout, checkout / ".cache" / "runs", "swift-owl", "HEAD") as place:
        one = keep(place, "runs/swift-owl", ["code.py"], "one")
        (place / "dvc.lock").write_text("two\n")
        two = keep(place, "runs/swift-owl", ["dvc.lock"], "two")
    assert git(checkout, "rev-parse", f"{two}~", f"{two}~~") == f"{one}\n{first}"
    git(checkout, "commit", "-qm", "another", "--allow-empty")
    with run_workspace(checkout, checkout / ".cache" / "runs", "swift-owl", "HEAD") as place:
        three = keep(place, "runs/swift-owl", ["code.py"], "three")
    assert git(checkout, "rev-parse", f"{three}~") == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("name", "branch"),
    [
        ("swift-owl", "runs/swift-owl"),
        ("digits, again: ~v1..2^{} ", "runs/digits-again-v1-2"),
        ("a/b.lock", "runs/a-b-lock"),
        ("../..", "runs/run"),
        ("größer", "runs/gr-er"),
    ],
)
def test_whatever_a_run_is_called_its_branch_can_be(checkout: Path, name: str, branch: str) -> None:
    assert branch_for(checkout, name, "7c4a2b41-9d") == branch
    assert branch_for(checkout, name, "7c4a2b41-9d", shared=True) == f"{branch}-7c4a2b41"
    git(checkout, "branch", branch)
    assert branch_for(checkout, name, "7c4a2b41-9d") == f"{branch}-7c4a2b41"


def test_a_branch_within_one_of_that_name_is_in_its_way_too(checkout: Path) -> None:
    git(checkout, "branch", "runs/one/two")
    assert branch_for(checkout, "one", "7c4a2b41-9d") == "runs/one-7c4a2b41"


def test_a_branch_is_taken_as_others_have_it_unless_there_is_more_here(checkout: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(checkout), "other")
    other, branch = tmp_path / "other", git(checkout, "branch", "--show-current")
    git(checkout, "commit", "-qm", "pushed since", "--allow-empty")
    git(checkout, "branch", "theirs-alone")
    assert fetched_commit(other, branch) == git(checkout, "rev-parse", "HEAD")
    assert fetched_commit(other, "theirs-alone") == git(checkout, "rev-parse", "HEAD")
    git(other, "merge", "-q", "--ff-only", f"origin/{branch}")
    git(other, "commit", "-qm", "not pushed", "--allow-empty")
    assert fetched_commit(other, branch) == git(other, "rev-parse", "HEAD")


def test_a_remote_that_does_not_answer_may_do_so_later(checkout: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(checkout), "other")
    git(tmp_path / "other", "remote", "set-url", "origin", "git://127.0.0.1:1/nobody")
    with pytest.raises(RemoteAway, match="Connection refused"):
        fetched_commit(tmp_path / "other", "main")


def test_what_others_have_pushed_is_fetched(checkout: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(checkout), "other")
    git(checkout, "commit", "-qm", "pushed since", "--allow-empty")
    other = tmp_path / "other"
    branch = git(checkout, "branch", "--show-current")
    for name in (f"origin/{branch}", git(checkout, "rev-parse", "HEAD")):
        assert fetched_commit(other, name) == git(checkout, "rev-parse", "HEAD")
    git(other, "remote", "set-url", "origin", str(tmp_path / "gone"))
    assert fetched_commit(other, "HEAD") == git(other, "rev-parse", "HEAD")
    assert fetched_commit(other, git(checkout, "rev-parse", "HEAD"))  # is here, and can mean nothing else
    with pytest.raises(WorktreeError, match="gone"):
        fetched_commit(other, f"origin/{branch}")
