"""Shards of a real S3 store (SeaweedFS) in a folder that never holds more than it may."""

import multiprocessing
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from fm.data.shard_cache import Cache, CacheError, Folder
from fm.data.shard_files import Shard, content_of, shard_of
from fm.data.shards import Shards
from fm.errors import UserError
from fm.s3 import Place
from infra.services.buckets import Key
from tests.store import Store

DATA = np.random.default_rng(0).integers(0, 256, (240, 1000), dtype=np.uint8)
ROWS = 10  # of a shard
LIMIT = 80_000


@pytest.fixture(scope="module")
def keys(store: Store) -> dict[str, Key]:
    return store.set_up("team-shards", {})


@pytest.fixture(autouse=True)
def shell(store: Store, keys: dict[str, Key], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in store.variables(keys["training"]).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    return Place("team-shards-samples", f"{request.node.name}/")


def uploaded(place: Place) -> list[Shard]:
    shards = []
    for start in range(0, len(DATA), ROWS):
        content = content_of(DATA[start : start + ROWS], None)
        shards.append(shard_of(content, ROWS))
        place.write_new(shards[-1].file, content)
    return shards


def rows_of(place: Place, folder: Path, window: int = 3, limit: int = LIMIT) -> Shards:
    return Shards(uploaded(place), Cache(place, folder, limit), {}, False, (1000,), "uint8", window)


def size(folder: Path) -> int:
    """Of all files; one that is renamed meanwhile counts once."""
    sizes = {}
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            found = path.stat()
            sizes[found.st_ino] = found.st_size
    return sum(sizes.values())


def test_two_epochs_through_a_cache_of_a_third(place: Place, tmp_path: Path) -> None:
    rows, most = rows_of(place, tmp_path / "cache"), 0
    assert sum(shard.bytes for shard in rows.shards) / 3 > LIMIT
    assert rows.bytes_at_once <= LIMIT
    for epoch in range(2):
        order = rows.order(0, epoch)
        for start in range(0, len(rows), 8):
            wanted = order[np.arange(start, start + 8)]
            np.testing.assert_array_equal(rows[wanted]["data"], DATA[wanted])
            most = max(most, size(tmp_path / "cache"))
    assert 0 < most <= LIMIT


def read_all(place: Place, folder: Path, seed: int, wrong: "multiprocessing.Queue[int]") -> None:
    rows = rows_of(place, folder)
    order = rows.order(seed, 0)[np.arange(len(rows))]
    wrong.put(sum(int((rows[order[start : start + 8]]["data"] != DATA[order[start : start + 8]]).sum())
                  for start in range(0, len(rows), 8)))  # fmt: skip


def test_processes_share_a_folder_and_its_limit(place: Place, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    wrong: multiprocessing.Queue[int] = context.Queue()
    job = context.Process(target=read_all, args=(place, tmp_path, 0, wrong))
    job.start()
    read_all(place, tmp_path, 1, wrong)
    assert [wrong.get(timeout=60) for _ in range(2)] == [0, 0]
    job.join(60)
    assert size(tmp_path) <= LIMIT


def test_what_is_expected_comes_by_itself_and_is_not_fetched_twice(place: Place, tmp_path: Path) -> None:
    shards = uploaded(place)
    cache = Cache(place, tmp_path / "cache", LIMIT)
    cache.expect(shards[:3])
    until = time.monotonic() + 30
    while len(list((tmp_path / "cache").glob("*.arrow"))) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    for shard in shards[:3]:
        place.store.delete_object(Bucket=place.bucket, Key=place.prefix + shard.file)
    assert [cache.path(shard).stat().st_size for shard in shards[:3]] == [shard.bytes for shard in shards[:3]]


def test_who_was_killed_while_it_fetched_leaves_nothing_behind(place: Place, tmp_path: Path) -> None:
    shard = uploaded(place)[0]
    (tmp_path / shard.file).with_suffix(".partial").write_bytes(b"half")
    assert Cache(place, tmp_path, LIMIT).path(shard).stat().st_size == shard.bytes
    assert not list(tmp_path.glob("*.partial"))


def test_a_cache_too_small_for_what_is_asked_for_at_once(place: Place, tmp_path: Path) -> None:
    shard = uploaded(place)[0]
    with pytest.raises(CacheError, match=r"5,000 bytes are too few .*: allow more by SIZE"):
        Cache(place, tmp_path, 5000, set_by="SIZE").path(shard)


def test_a_cache_that_is_no_folder_or_cannot_be_written_to(place: Place, tmp_path: Path) -> None:
    shard, no_folder = uploaded(place)[0], tmp_path / "cache"
    no_folder.touch()
    for folder, fault in ((no_folder, "File exists"), (Path("/proc/self"), "No such file or directory")):
        cache = Cache(place, folder, LIMIT)
        for _ in range(2):
            with pytest.raises(CacheError, match=rf"^{folder}: shards can't be kept there \({fault}\): it must be .*"):
                cache.path(shard)


def test_an_object_that_is_not_what_it_is_called(place: Place, tmp_path: Path) -> None:
    shard = uploaded(place)[0]
    place.store.put_object(Bucket=place.bucket, Key=place.prefix + shard.file, Body=b"x" * shard.bytes)
    with pytest.raises(CacheError, match=f"{shard.file}: the shard is damaged: prepare the dataset again"):
        Cache(place, tmp_path, LIMIT).path(shard)
    place.store.delete_object(Bucket=place.bucket, Key=place.prefix + shard.file)
    with pytest.raises(UserError, match=rf"^{place}{shard.file}: there is no such object"):
        Cache(place, tmp_path, LIMIT).path(shard)


def test_a_cached_shard_that_is_damaged_is_fetched_anew(place: Place, tmp_path: Path) -> None:
    rows = rows_of(place, tmp_path)
    path = rows.shelf.path(rows.shards[0])
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"damaged!")
    again = rows_of(place, tmp_path)  # as another process has them
    np.testing.assert_array_equal(again[np.arange(ROWS)]["data"], DATA[:ROWS])
    assert Shards(rows.shards, Folder(tmp_path), {}, False, (1000,), "uint8", 1)[np.arange(ROWS)]


def test_threads_that_want_the_same_wait_for_it(place: Place, tmp_path: Path) -> None:
    shard = uploaded(place)[0]
    cache, found = Cache(place, tmp_path, LIMIT), list[int]()
    threads = [threading.Thread(target=lambda: found.append(cache.path(shard).stat().st_size)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [shard.bytes] * 4
