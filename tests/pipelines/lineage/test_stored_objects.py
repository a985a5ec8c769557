"""Whether DVC has an output: by its cache, and by its remote, a real SeaweedFS or a folder, as from a fresh clone."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo
from mlflow.entities.model_registry import ModelVersion

from fm.errors import TryLater
from infra.services.buckets import Key
from pipelines.lineage import links
from pipelines.lineage.stored_objects import Found, look_up
from pipelines.lineage.traced import Traced
from pipelines.worktree import dvc
from tests.ports import free_run
from tests.store import Store

BUCKET = "team-found-data"
FILES = {"one.txt": "1", "two.txt": "2", "same.txt": "2"}
ONE, TWO = "c4ca4238a0b923820dcc509a6f75849b", "c81e728d9d4c2f636f067f89cc14862c"  # md5 of 1 and of 2


@dataclass
class Project:
    """A folder and a file, both pushed.

    Attributes:
        remote: what DVC calls the place of the remote's objects.
        objects: that place as a folder, or the store's client and a prefix.
    """

    root: Path
    remote: str
    objects: "Path | tuple[Any, str]"

    @property
    def folder(self) -> str:
        return self.md5("folder")

    @property
    def cache(self) -> Path:
        return self.root / ".dvc" / "cache" / "files" / "md5"

    def md5(self, name: str) -> str:
        return str(yaml.safe_load((self.root / f"{name}.dvc").read_text())["outs"][0]["md5"])

    def ask(self, md5: str) -> Found:
        return look_up(self.root, md5)

    def clone_afresh(self) -> None:
        shutil.rmtree(self.cache)

    def write(self, md5: str, content: bytes) -> None:
        if isinstance(self.objects, Path):
            file = self.objects / md5[:2] / md5[2:]
            file.chmod(0o644)
            file.write_bytes(content)
        else:
            store, prefix = self.objects
            store.put_object(Bucket=BUCKET, Key=f"{prefix}/{md5[:2]}/{md5[2:]}", Body=content)

    def delete(self, md5: str) -> None:
        if isinstance(self.objects, Path):
            (self.objects / md5[:2] / md5[2:]).unlink()
        else:
            store, prefix = self.objects
            store.delete_object(Bucket=BUCKET, Key=f"{prefix}/{md5[:2]}/{md5[2:]}")


@pytest.fixture(scope="module")
def keys(store: Store) -> dict[str, Key]:
    return store.set_up("team-found", {})


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    dvc(root, "init", "--quiet")
    (root / "folder").mkdir()
    for name, content in FILES.items():
        (root / "folder" / name).write_text(content)
    (root / "file").write_text("1")
    dvc(root, "add", "folder", "file")
    return root


@pytest.fixture(params=["s3", "folder"])
def project(
    request: pytest.FixtureRequest,
    store: Store,
    keys: dict[str, Key],
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    for name, value in store.variables(keys["training"]).items():
        monkeypatch.setenv(name, value)
    root, kept = tmp_path / "project", tmp_path / "remote"
    shutil.copytree(template, root)
    place = f"s3://{BUCKET}/{tmp_path.name}" if request.param == "s3" else str(kept)
    (root / ".dvc" / "config").write_text(f"[core]\nremote = storage\n['remote \"storage\"']\nurl = {place}\n")
    with Repo(str(root)) as repo:
        repo.push()
    if request.param == "s3":
        prefix = f"{tmp_path.name}/files/md5"
        return Project(root, f"s3://{BUCKET}/{prefix}", (store.client(keys["training"]), prefix))
    return Project(root, f"{kept}/files/md5", kept / "files" / "md5")


@pytest.mark.parametrize("project", ["folder"], indirect=True)
def test_what_lies_in_the_cache_is_read_and_hashed(project: Project) -> None:
    assert project.ask(project.folder) == Found(f"DVC's cache {project.cache}: 3 objects read and hashed")
    assert project.ask(project.md5("file")) == Found(f"DVC's cache {project.cache}: 1 object read and hashed")


def test_of_a_fresh_clone_each_file_is_looked_up_in_the_remote(project: Project) -> None:
    project.clone_afresh()
    assert project.ask(project.folder) == Found(
        f"the folder's list fetched, read and hashed; DVC's remote {project.remote}: 2 objects there, not read"
    )
    assert project.ask(project.md5("file")) == Found(f"DVC's remote {project.remote}: 1 object there, not read")
    assert not project.cache.exists()


def test_what_lies_here_and_there_is_told_apart(project: Project) -> None:
    (project.cache / TWO[:2] / TWO[2:]).unlink()
    assert project.ask(project.folder) == Found(
        f"DVC's cache {project.cache}: 2 objects read and hashed; "
        f"DVC's remote {project.remote}: 1 object there, not read"
    )


def test_a_file_that_is_gone_from_the_remote_is_missed(project: Project) -> None:
    project.clone_afresh()
    project.delete(TWO)
    assert project.ask(project.folder).wrong == missing_from(project, TWO)
    assert not project.ask(project.md5("file")).wrong


def test_a_list_that_is_gone_from_the_remote_is_missed(project: Project) -> None:
    project.clone_afresh()
    project.delete(project.folder)
    assert project.ask(project.folder).wrong == missing_from(project, project.folder)


def missing_from(project: Project, md5: str) -> str:
    return f"neither in DVC's cache {project.cache} nor in DVC's remote {project.remote}: {md5}"


def test_a_list_that_is_another_in_the_remote_is_damaged(project: Project) -> None:
    project.clone_afresh()
    project.write(project.folder, b"[]")
    assert project.ask(project.folder).wrong == f"damaged in DVC's remote {project.remote}: {project.folder}"


@pytest.mark.parametrize("project", ["folder"], indirect=True)
def test_what_is_damaged_in_the_remote_stays_there(project: Project) -> None:
    """DVC's own look at a remote that is a folder removes it."""
    project.clone_afresh()
    project.write(ONE, b"other")
    assert "there, not read" in project.ask(project.folder).where
    assert isinstance(project.objects, Path)
    assert (project.objects / ONE[:2] / ONE[2:]).read_bytes() == b"other"


@pytest.mark.parametrize("project", ["folder"], indirect=True)
def test_what_is_damaged_in_the_cache_is_named(project: Project) -> None:
    file = project.cache / TWO[:2] / TWO[2:]
    file.chmod(0o644)
    file.write_text("3")
    assert project.ask(project.folder).wrong == f"damaged in DVC's cache {project.cache}: {TWO}"


@pytest.mark.parametrize("project", ["folder"], indirect=True)
def test_of_many_that_are_missing_three_are_named(project: Project) -> None:
    for number in range(5):
        (project.root / "folder" / f"{number}.txt").write_text(f"number {number}")
    with Repo(str(project.root)) as repo:
        repo.add(str(project.root / "folder"))  # and no push
    for file in project.cache.glob("*/*[!r]"):
        if file.read_text().startswith("number"):
            file.unlink()
    assert project.ask(project.folder).wrong.endswith(" and 2 more")


@pytest.mark.parametrize("project", ["folder"], indirect=True)
def test_without_a_remote_it_is_said(project: Project) -> None:
    project.clone_afresh()
    (project.root / ".dvc" / "config").write_text("")
    wrong = project.ask(project.folder).wrong
    assert wrong == f"not in DVC's cache {project.cache}, and there is no remote: {project.folder}"


@pytest.mark.parametrize("project", ["s3"], indirect=True)
def test_a_store_that_does_not_answer_has_not_lost_anything(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.clone_afresh()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_run(1)}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(TryLater, match=f"^DVC's remote {project.remote}: the store does not answer"):
        project.ask(project.folder)
    link = links.stored(Traced(project.root, ModelVersion("digits-generator", "1", 0), None, None, None), "data", ONE)
    assert link.state == "unknown"
    assert "the store does not answer" in link.note
