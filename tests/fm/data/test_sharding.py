"""Shards are what the arrays would be, however often their preparation is killed."""

import hashlib
import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fm.codecs import Pixels, measured
from fm.data import sharding
from fm.data.assembling import sharded
from fm.data.collecting import is_below
from fm.data.dataset import Request
from fm.data.folder_contents import FolderError
from fm.data.image_folder import Files, ImageFolder
from fm.data.listing import Listing
from fm.data.prepared import CacheFolder, Prepared, PreparedError
from fm.data.sharding import Plan
from fm.data.writing import write_sharded
from fm.s3 import Place
from infra.services.buckets import Key
from tests.store import Store


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Sixty images of three labels, two of which are one file, and a label of one image that would be held out."""
    for number in range(60):
        path = tmp_path / "pictures" / ("cats", "dogs", "mice")[number % 3] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 2 * number, 99)).save(path)
    (tmp_path / "pictures" / "dogs" / "again.png").write_bytes((tmp_path / "pictures" / "dogs" / "01.png").read_bytes())
    for number in range(100, 130):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "trial.png")
        if would_be_held_out(tmp_path / "trial.png"):
            (tmp_path / "pictures" / "rare").mkdir()
            (tmp_path / "trial.png").rename(tmp_path / "pictures" / "rare" / "only.png")
            break
    return tmp_path / "pictures"


def would_be_held_out(path: Path) -> bool:
    return is_below(hashlib.sha256(path.read_bytes()).digest(), 0.3)


def asked(path: Path, skip_bad: bool = False) -> Request:
    return Request(Path(), path, 8, 3, 0.3, skip_bad)


def listing(path: Path, part: int = 10) -> Listing:
    """In small parts."""
    whole = ImageFolder().listing(path)
    files = [file for each in whole.parts for file in each.files]  # type: ignore[attr-defined]
    return replace(whole, parts=[Files(tuple(files[start : start + part])) for start in range(0, len(files), part)])


def plan(path: Path, work: Path, place: Place | None = None) -> Plan:
    return Plan(asked(path), shard_bytes=4 * 8 * 8 * 3, work=work, place=place)


def prepared(path: Path, folder: Path, place: Place | None = None, processes: int = 1) -> dict[str, Any]:
    """The manifest."""
    how = plan(path, folder / "work", place)
    write_sharded(folder / "prepared", "pictures", sharded(listing(path), how, processes), how, 3 * how.shard_bytes)
    manifest: dict[str, Any] = json.loads((folder / "prepared" / "manifest.json").read_text())
    return manifest


def test_the_shards_have_what_the_arrays_would(pictures: Path, tmp_path: Path) -> None:
    manifest = prepared(pictures, tmp_path)
    found = Prepared.open(tmp_path / "prepared")
    found.verify()
    splits = ImageFolder().load(asked(pictures))
    assert found.label_names == splits.label_names == ("cats", "dogs", "mice", "rare")
    for rows, images, labels in (
        (found.train, splits.train_images, splits.train_labels),
        (found.test, splits.test_images, splits.test_labels),
    ):
        every = rows[np.arange(len(rows))]
        assert sorted(zip(map(bytes, every["data"]), every["label"], strict=True)) == sorted(
            zip(map(bytes, images), labels, strict=True)
        )
    assert found.codec == measured(Pixels((8, 8, 3)), found.train)
    assert max(shard[1] for shard in manifest["shards"]["train"]) == 4
    assert manifest["splits"]["train"]["by_label"]["rare"] == 1


def test_what_is_told_of_shards_is_what_is_told_of_arrays(pictures: Path, tmp_path: Path) -> None:
    (pictures / "cats" / "bad.png").write_text("no image")
    Image.new("RGB", (8, 8), (0, 0, 99)).save(pictures / "mice" / "same as cats 00.png", compress_level=0)
    (pictures / "mice" / "notes.txt").touch()
    with pytest.raises(FolderError, match=r"1 of \d\d images cannot be used:\n  cats/bad\.png"):
        sharded(listing(pictures), plan(pictures, tmp_path / "work"))
    how = replace(plan(pictures, tmp_path / "work"), asked=asked(pictures, skip_bad=True))
    made, splits = sharded(listing(pictures), how), ImageFolder().load(how.asked)
    assert tuple(made.skipped) == splits.skipped
    assert made.left_out == splits.left_out
    assert tuple(made.warnings) == splits.warnings
    again = {file for pair in made.in_both_splits for file in pair}
    assert again <= {"cats/00.png", "mice/same as cats 00.png"}


def slow(number: int, part: Files, how: Plan) -> None:
    time.sleep(0.05)
    sharding.make_part(number, part, how)


def prepare_slowly(path: Path, work: Path) -> None:
    how = plan(path, work)
    how.shards.mkdir(parents=True)
    for number, part in enumerate(listing(path).parts):
        slow(number, part, how)  # type: ignore[arg-type]


def test_killed_and_gone_on_with_it_ends_with_the_same_bytes(pictures: Path, tmp_path: Path) -> None:
    expected = prepared(pictures, tmp_path / "whole")
    work = tmp_path / "killed" / "work"
    job = multiprocessing.get_context("fork").Process(target=prepare_slowly, args=(pictures, work))
    job.start()
    until = time.monotonic() + 30
    while len(list(work.glob("*.json"))) < 3 and time.monotonic() < until:
        time.sleep(0.005)
    assert job.pid is not None
    os.kill(job.pid, signal.SIGKILL)
    job.join()
    there = {path.name: path.stat().st_mtime_ns for path in work.glob("*.json")}
    assert 3 <= len(there) < len(listing(pictures).parts)
    assert prepared(pictures, tmp_path / "killed", processes=2) == expected
    assert there == {name: (work / name).stat().st_mtime_ns for name in there}


@pytest.fixture
def place(store: Store, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    keys: dict[str, Key] = store.set_up("team-prepared", {})
    for name, value in store.variables(keys["training"]).items():
        monkeypatch.setenv(name, value)
    return Place("team-prepared-samples", f"{request.node.name}/")


def test_shards_in_a_store(pictures: Path, tmp_path: Path, place: Place) -> None:
    here, there = prepared(pictures, tmp_path / "here"), prepared(pictures, tmp_path / "there", place)
    assert there["shards"].pop("place") == str(place)
    assert here["shards"].pop("place") is None
    assert here == there
    assert {path.name for path in (tmp_path / "there" / "prepared").iterdir()} == {
        "manifest.json",
        "train_label.npy",
        "test_label.npy",
    }
    folder = tmp_path / "there" / "prepared"
    with pytest.raises(PreparedError, match=f"its shards lie in {place}"):
        Prepared.open(folder)
    with pytest.raises(PreparedError, match=r"a cache of 1,000 bytes is too small: [\d,]+ of .*: allow more by SIZE,"):
        Prepared.open(folder, CacheFolder(tmp_path / "cache", 1000, set_by="SIZE"))
    local, remote = (
        Prepared.open(tmp_path / each / "prepared", CacheFolder(tmp_path / "cache", 100_000))
        for each in ("here", "there")
    )
    rows = np.arange(len(local.train))[::-1]
    np.testing.assert_array_equal(local.train[rows]["data"], remote.train[rows]["data"])


def test_a_shard_that_has_changed_is_found(pictures: Path, tmp_path: Path) -> None:
    manifest = prepared(pictures, tmp_path)
    path = tmp_path / "prepared" / "shards" / f"{manifest['shards']['train'][0][0]}.arrow"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()  # which lies elsewhere too
    path.write_bytes(content)
    with pytest.raises(PreparedError, match=f"{path.name} has changed"):
        Prepared.open(tmp_path / "prepared").verify()
