import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from pipelines.params import load
from pipelines.project import ROOT
from pipelines.records import provenance
from pipelines.stage import Stage

STAGE = Stage("train@diffusion", {"train.seed": 0}, {"data/prepared": "d" * 32 + ".dir"})


def git(folder: Path, *arguments: str) -> bytes:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):  # there when a commit hook runs the tests
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "repository"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "a.py").write_text("a = 1\n")
    (folder / "code" / "b.py").write_text("b = 1\n")
    (folder / "code" / "latin.txt").write_bytes("für\n".encode("latin-1"))
    (folder / ".gitignore").write_text("/artifacts/\n/reports/report.html\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o100) for path in files}


def test_clean_tree(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD").decode().strip()
    assert provenance.uncommitted_patch(repository) is None
    assert provenance.tags(STAGE, repository) == {
        "git.commit": commit,
        "git.dirty": "false",
        "data.md5": STAGE.data_md5,
        "params.md5": STAGE.params_md5,
    }


def test_patch_gives_the_tree_back(repository: Path, tmp_path: Path) -> None:
    (repository / "code" / "a.py").write_text("a = 2")  # no newline at the end
    git(repository, "add", "code/a.py")
    (repository / "code" / "a.py").write_text("a = 3")
    (repository / "code" / "b.py").unlink()
    (repository / "code" / "latin.txt").write_bytes("größer\n".encode("latin-1"))
    (repository / "code" / "new, with ü.py").write_bytes("größer\n".encode("latin-1"))
    (repository / "code" / "run.sh").write_text("#!/bin/sh\n")
    (repository / "code" / "run.sh").chmod(0o755)
    before = git(repository, "status", "--porcelain"), (repository / ".git" / "index").read_bytes()

    patch = provenance.uncommitted_patch(repository)

    assert patch is not None
    assert before == (git(repository, "status", "--porcelain"), (repository / ".git" / "index").read_bytes())
    assert provenance.tags(STAGE, repository)["git.dirty"] == "true"
    git(tmp_path, "clone", "--quiet", str(repository), "clone")
    (tmp_path / "patch").write_bytes(patch)
    git(tmp_path / "clone", "apply", str(tmp_path / "patch"))
    assert contents(tmp_path / "clone") == contents(repository)


def test_pictures_and_secrets_do_not_travel_and_are_named(repository: Path) -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    contents = {
        "pictures/a.png": bytes(range(256)),
        "mine.py": b"x = 1\n",
        "large.py": b"#" * (2**20 + 1),
        "binary.py": b"\0",
        "notes.txt": b"note\n",
        ".env.local": b"PASSWORD=hunter2\n",
        "db_password.yaml": b"hunter2\n",
        "secrets/mine.py": b"hunter2\n",
        "key.sh": key.encode(),
        "*.py": b"a star\n",
    }
    for name, content in contents.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_bytes(content)
    (repository / "link.py").symlink_to("/etc/passwd")
    os.mkfifo(repository / "pipe.py")

    patch = provenance.uncommitted_patch(repository)

    assert patch is not None
    assert set(re.findall(rb"^diff --git a/(\S+) ", patch, re.MULTILINE)) == {b"mine.py", b"*.py"}
    lines = [line.split(" ", 2) for line in provenance.left_out(repository).splitlines()]
    named = {name: (digest, size) for digest, size, name in lines}
    assert set(named) == set(contents) - {"mine.py", "*.py"} | {"link.py"}
    for name in ("pictures/a.png", "large.py", "binary.py", "notes.txt"):
        assert named[name] == (hashlib.sha256(contents[name]).hexdigest(), str(len(contents[name])))
    for name in (".env.local", "db_password.yaml", "secrets/mine.py", "key.sh"):
        assert named[name] == ("-", str(len(contents[name])))
    assert b"hunter2" not in patch


def test_thousands_of_pictures_are_a_thousand_lines(repository: Path) -> None:
    (repository / "pictures").mkdir()
    for number in range(1002):
        (repository / "pictures" / f"{number:04d}.png").write_bytes(b"\0")
    lines = provenance.left_out(repository).splitlines()
    assert len(lines) == 1001
    assert lines[-1] == "and 2 more"
    assert provenance.uncommitted_patch(repository) is None
    everything = provenance.uncommitted_patch(repository, everything=True)
    assert everything is not None
    assert everything.count(b"diff --git") == 1002


@pytest.mark.parametrize(
    "path", ["dvc.lock", "metrics/train/a.json", "reports/comparison.json", "reports/report.html", "artifacts/a"]
)
def test_what_the_pipeline_writes_is_no_change(repository: Path, path: str) -> None:
    (repository / path).parent.mkdir(parents=True, exist_ok=True)
    (repository / path).write_text("{}")
    assert provenance.uncommitted_patch(repository) is None
    git(repository, "add", "--force", path)
    git(repository, "commit", "--quiet", "--message", "second")
    (repository / path).write_text("{} ")
    if not path.startswith("artifacts"):
        assert provenance.uncommitted_patch(repository) is None


@pytest.mark.parametrize("ignored", ["/metrics/\n/reports/\ndvc.lock\n", "*.json\n"])
def test_it_does_not_matter_whether_git_ignores_that_too(repository: Path, ignored: str) -> None:
    (repository / ".gitignore").write_text(ignored)
    git(repository, "commit", "--quiet", "--all", "--message", "second")
    (repository / "metrics").mkdir()
    (repository / "metrics" / "a.json").write_text("{}")
    assert provenance.uncommitted_patch(repository) is None


@pytest.mark.parametrize("setting", ["diff.noprefix=true", "color.ui=always", "diff.external=false"])
def test_personal_settings_do_not_spoil_the_patch(repository: Path, setting: str) -> None:
    git(repository, "config", *setting.split("="))
    (repository / "code" / "a.py").write_text("a = 2\n")
    patch = provenance.uncommitted_patch(repository)
    assert patch is not None
    assert patch.startswith(b"diff --git a/code/a.py b/code/a.py\n")


def test_worktrees_have_their_own_changes(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    (tmp_path / "tree" / "code" / "a.py").write_text("a = 2\n")
    assert provenance.uncommitted_patch(repository) is None
    assert provenance.uncommitted_patch(tmp_path / "tree") is not None


def test_no_commit_and_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit(tmp_path) == "unknown"
    git(tmp_path, "init", "--quiet")
    assert provenance.commit(tmp_path) == "unknown"
    assert provenance.uncommitted_patch(tmp_path) is None
    assert provenance.tags(STAGE, tmp_path)["git.dirty"] == "true"


def test_the_flow_is_named_if_there_is_one(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(provenance.FLOW_RUN_VARIABLE, "flow")
    assert provenance.tags(STAGE, repository)["prefect.flow_run_id"] == "flow"


def test_prepared_md5_is_read_from_the_lock(tmp_path: Path) -> None:
    assert provenance.prepared_md5(tmp_path) == "unknown"
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    assert provenance.prepared_md5(tmp_path) == "unknown"
    (tmp_path / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  prepare:\n    cmd: x\n    outs:\n    - {path: data/prepared, md5: abc.dir}\n"
    )
    assert provenance.prepared_md5(tmp_path) == "abc.dir"


def test_params_md5_is_that_of_a_stage_with_all_settings() -> None:
    settings = load(ROOT / "params.yaml")
    everything = Stage("register", settings.model_dump(mode="json"), {})
    assert provenance.params_md5(settings) == everything.params_md5
