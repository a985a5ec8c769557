"""What others may have written into the registry or a repository, and who looks it up."""

import subprocess
from pathlib import Path

import pytest
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag

from fm.errors import UserError
from pipelines import lineage, links, reproduce, worktree
from pipelines.links import Link
from pipelines.stored_objects import look_up
from pipelines.traced import Traced

PRECIOUS = "precious"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    (tmp_path / "params.yaml").write_text("a: 1\n")
    (tmp_path / PRECIOUS).write_text("kept")
    subject = "[/] fix [red]this[/red]"
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", subject]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def traced(root: Path, commit: str) -> Traced:
    tags = [ModelVersionTag("git.commit", commit), ModelVersionTag("method", "diffusion")]
    return Traced(root, ModelVersion("tiny", "1", 0, tags=tags, run_id="r"), "stages: {}", "a: 1\n", None)


def head(root: Path) -> str:
    return worktree.commit_of(root, "HEAD")


@pytest.mark.parametrize("option", [f"--index-output={PRECIOUS}", f"--output={PRECIOUS}", "--batch", "HEAD"])
def test_a_tag_that_is_no_hash_is_given_to_no_git(root: Path, option: str) -> None:
    version = traced(root, option)
    assert links.commit(version).state == "differs"
    assert links.code_with_patch(version) is None
    with pytest.raises(UserError, match="is no commit's hash"):
        reproduce.reproduce(version)
    assert (root / PRECIOUS).read_text() == "kept"


def test_a_hash_is_looked_up(root: Path) -> None:
    assert links.commit(traced(root, head(root))).state == "ok"
    assert links.code_with_patch(traced(root, head(root))) == "a: 1\n"
    assert links.commit(traced(root, "0" * 40)).state == "missing"


@pytest.mark.parametrize("option", ["--lock", "--orphan", "-f"])
def test_no_checkout_is_made_of_an_option(root: Path, tmp_path: Path, option: str) -> None:
    with pytest.raises(worktree.WorktreeError, match="no such commit"):
        worktree.check_out(root, tmp_path / "place", option)
    assert not (tmp_path / "place").exists()


def test_the_subject_of_a_commit_is_no_markup(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lineage.print_links("tiny [/b], version 1", [links.commit(traced(root, head(root)))])
    assert "[/] fix [red]this[/red]" in capsys.readouterr().out


def test_a_terminal_obeys_nothing_of_what_others_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    lineage.print_links("tiny, version 1", [Link("git commit", "abc", "ok", "\x1b[2J\x07first\nsecond")])
    printed = capsys.readouterr().out
    assert "\ufffd[2J\ufffdfirst second" in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize("name", ["../../precious", "unknown", "", "c" * 31])
def test_what_is_no_md5_is_no_path(tmp_path: Path, name: str) -> None:
    assert "no md5" in look_up(tmp_path, name).wrong
