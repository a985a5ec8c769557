"""What others may have written into the registry or a repository, and who looks it up."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag

from fm.errors import UserError
from pipelines import worktree
from pipelines.lineage import __main__ as lineage
from pipelines.lineage import links, reproduce
from pipelines.lineage.links import Link
from pipelines.lineage.stored_objects import look_up
from pipelines.lineage.traced import Traced

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


CHANGED = b"""\
diff --git a/params.yaml b/params.yaml
--- a/params.yaml
+++ b/params.yaml
@@ -1 +1 @@
-a: 1
+a: 2
"""


def with_changes(root: Path, changes: bytes, settings: str, sha256: str | None) -> Traced:
    """A version by uncommitted changes, as they and the settings lie in the store now."""
    known = {
        "git.commit": head(root),
        "git.dirty": "true",
        "method": "diffusion",
        "dvc.lock.sha256": hashlib.sha256(b"stages: {}").hexdigest(),
        **({} if sha256 is None else {"git.patch.sha256": sha256}),
    }
    tags = [ModelVersionTag(name, value) for name, value in known.items()]
    return Traced(root, ModelVersion("tiny", "1", 0, tags=tags, run_id="r"), "stages: {}", settings, changes)


@pytest.mark.parametrize(
    ("changes", "settings", "registered", "said"),
    [
        (CHANGED.replace(b"a: 2", b"a: 3"), "a: 3\n", CHANGED, "uncommitted changes: differs"),
        (CHANGED, "a: 2\n", None, "uncommitted changes: unknown; no tag git.patch.sha256"),
        (CHANGED, "a: 3\n", CHANGED, "parameters: params.yaml is another"),
    ],
    ids=["changes of another", "changes of before they were hashed", "settings of another"],
)
def test_what_others_may_have_changed_is_not_run_again(
    root: Path, changes: bytes, settings: str, registered: bytes | None, said: str
) -> None:
    sha256 = None if registered is None else hashlib.sha256(registered).hexdigest()
    with pytest.raises(UserError, match=f"not reproduced, {said}"):
        reproduce.reproduce(with_changes(root, changes, settings, sha256))


def test_changes_that_are_as_they_were_are_run_again(root: Path) -> None:
    version = with_changes(root, CHANGED, "a: 2\n", hashlib.sha256(CHANGED).hexdigest())
    assert links.patch(version).state == "ok"
    reproduce.require_as_registered(version)


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
