"""What the inputs were found to be is found again only where settings or code are others."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fm.errors import UserError
from pipelines import params
from pipelines.inputs import kept
from pipelines.inputs.resolved import Resolver, known, resolve_one
from pipelines.project import ROOT

STAGE = "prepare"
WORDS = "# in other words\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that inputs come from."""
    root = tmp_path_factory.mktemp("kept")
    for folder in ("fm", "own", "pipelines", "starts"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / params.FILE, root)
    return root


@pytest.fixture
def root(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """It is as it was at the end, and nothing has been kept before."""
    monkeypatch.setattr(kept, "cache_dir", lambda: tmp_path)
    files = [project / params.FILE, project / "fm/data/resize.py", project / "pipelines/report/report.html.j2"]
    before = {file: file.read_bytes() for file in files}
    yield project
    for file, content in before.items():
        file.write_bytes(content)


def mark(root: Path) -> None:
    """What is kept says something else."""
    now = kept.digest(root)
    text = kept.read(STAGE, now)
    assert text is not None
    kept.keep(STAGE, now, json.dumps(json.loads(text) | {"settings": "kept"}))


def is_marked(root: Path) -> bool:
    return resolve_one(root, STAGE).settings == "kept"


def test_what_is_kept_is_what_was_found(root: Path) -> None:
    found = resolve_one(root, STAGE)
    assert found == Resolver(root, params.load(root / params.FILE)).inputs(STAGE)
    assert resolve_one(root, STAGE) == found
    mark(root)
    assert is_marked(root)


@pytest.mark.parametrize("name", [params.FILE, "fm/data/resize.py", "pipelines/report/report.html.j2"])
def test_any_other_byte_has_it_found_anew(root: Path, name: str) -> None:
    resolve_one(root, STAGE)
    mark(root)
    content = (root / name).read_text()
    (root / name).write_text(WORDS + content)
    assert not is_marked(root)
    (root / name).write_text(content)
    assert not is_marked(root), "of one time alone"


def test_what_was_edited_meanwhile_is_not_kept(root: Path) -> None:
    known(Resolver(root, params.load(root / params.FILE)), STAGE, "as it was")
    assert kept.read(STAGE, "as it was") is None


def test_what_was_cut_is_found_anew(root: Path) -> None:
    found = resolve_one(root, STAGE)
    kept.file_of(STAGE).write_bytes(b"\xff\xfe")
    assert resolve_one(root, STAGE) == found


def test_what_lies_elsewhere_is_looked_at_each_time(root: Path) -> None:
    """A package that is installed, of which anybody's class is, and a trained network that is gone on from."""
    content = yaml.safe_load((root / params.FILE).read_text())
    resolver = Resolver(root, params.parse(content))
    assert resolver.of_checkout
    resolver.code.installed = ("own",)
    assert resolver.of_checkout
    resolver.code.installed = ("my_package",)
    assert not resolver.of_checkout
    content["methods"]["flow_matching"] |= {"network": None, "start_from": "starts/mine"}
    assert not Resolver(root, params.parse(content)).of_checkout


def test_without_a_cache_nothing_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise UserError("the cache can't be written to")

    monkeypatch.setattr(kept, "cache_dir", nowhere)
    found = resolve_one(root, STAGE)
    assert resolve_one(root, STAGE) == found
