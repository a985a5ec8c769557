"""What a stage has made in DVC's remote, on a real SeaweedFS: what cannot be put there is said."""

import shutil
from pathlib import Path

import pytest

from fm.errors import TryLater
from infra.services.buckets import Key
from pipelines.push import push
from pipelines.worktree import dvc
from tests.flows import project
from tests.store import Store

REMOTE = "team-share-data"
STAGES = """
measured:
  cmd: echo '{"loss":1}' > figures.json && echo '{"fid":2}' > more.json
  deps: [side.py]
  metrics: [figures.json: {cache: false}, more.json: {cache: false}]
"""


@pytest.fixture(scope="module")
def keys(store: Store) -> dict[str, Key]:
    return store.set_up("team-share", {})


@pytest.fixture
def root(store: Store, keys: dict[str, Key], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose stage has run, and the variables of one who may write."""
    log_in(monkeypatch, store, keys["training"])
    root = project.make(tmp_path / "project", STAGES)
    dvc(root, "remote", "add", "--default", "storage", f"s3://{REMOTE}/{tmp_path.name}")
    dvc(root, "repro", "measured")
    return root


def log_in(monkeypatch: pytest.MonkeyPatch, store: Store, key: Key) -> None:
    for name, value in store.variables(key).items():
        monkeypatch.setenv(name, value)


def objects(store: Store, prefix: str) -> int:
    found = store.client(store.admin).list_objects_v2(Bucket=REMOTE, Prefix=f"{prefix}/files/md5/")
    return len(found.get("Contents", []))


def test_what_git_would_keep_is_there_too(store: Store, root: Path, tmp_path: Path) -> None:
    push(root, "measured")
    assert objects(store, tmp_path.name) == 2


def test_what_did_not_get_there_is_said(
    store: Store, keys: dict[str, Key], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(root / ".dvc" / "cache" / "runs")  # or `dvc push` is refused first, and says so itself
    log_in(monkeypatch, store, keys["reader"])
    with pytest.raises(TryLater, match=f"^measured: 2 of its objects did not get into DVC's remote s3://{REMOTE}/"):
        push(root, "measured")
    assert objects(store, tmp_path.name) == 0
