"""Rows in shards are those of whole arrays, in an order that only (seed, epoch) decides."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fm.batches import Batches, Budget, Examples
from fm.codecs import Pixels
from fm.conditions import Labels
from fm.data.rows import Arrays, Ordered
from fm.data.shard_cache import CacheError, Folder
from fm.data.shard_files import Shard, content_of, shard_of
from fm.data.shards import Shards

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (100, 4, 4, 1), dtype=np.uint8)
LABELS = np.arange(100) % 10
TEXTS = [f"image {number}" for number in range(100)]
COUNTS = [17, 30, 3, 25, 25]


class Counting(Folder):
    """A folder that knows which of its shards were asked for, and in which order."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[str] = []

    def path(self, shard: Shard) -> Path:
        self.asked.append(shard.sha256)
        return super().path(shard)


def shards(folder: Path, counts: list[int] = COUNTS, window: int = 2, texts: list[str] | None = TEXTS) -> Shards:
    made, start = [], 0
    for count in counts:
        rows = slice(start, start + count)
        content = content_of(IMAGES[rows], None if texts is None else texts[rows])
        made.append(shard_of(content, count))
        (folder / made[-1].file).write_bytes(content)
        start += count
    beside = {"label": LABELS[: sum(counts)]}
    return Shards(made, Counting(folder), beside, texts is not None, (4, 4, 1), "uint8", window)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.integers(0, 99), max_size=40))
def test_any_rows_are_those_of_the_arrays(rows: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    found = shards(tmp_path_factory.mktemp("shards"))[np.array(rows, dtype=np.int64)]
    np.testing.assert_array_equal(found["data"], IMAGES[rows])
    np.testing.assert_array_equal(found["label"], LABELS[rows])
    assert found["text"].tolist() == [TEXTS[row] for row in rows]


def test_rows_that_there_are_not(tmp_path: Path) -> None:
    for row in (-1, 100):
        with pytest.raises(IndexError, match="rows go from 0 to 99"):
            shards(tmp_path)[np.array([row])]


@settings(deadline=None, max_examples=50)
@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    window=st.integers(1, 9),
    seed=st.integers(0, 2**62),
    epoch=st.integers(0, 5),
)
def test_an_epoch_has_every_row_once_a_window_of_shards_after_the_other(
    counts: list[int], window: int, seed: int, epoch: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = shards(tmp_path_factory.mktemp("shards"), counts, window)
    places = np.arange(len(rows))
    order = rows.order(seed, epoch)[places]
    assert sorted(order.tolist()) == places.tolist()
    owners = np.searchsorted(rows.ends, order, side="right")
    first, last = ([int(each[np.flatnonzero(owners == one)[end]]) for one in range(len(counts))] for each, end in
                   ((places, 0), (places, -1)))  # fmt: skip
    for place in places:
        assert sum(a <= place <= b for a, b in zip(first, last, strict=True)) <= window
    backwards = rows.order(seed, epoch)
    assert [int(backwards[places[place : place + 1]][0]) for place in places[::-1]] == order[::-1].tolist()


def test_orders_differ_by_seed_and_epoch(tmp_path: Path) -> None:
    rows, places = shards(tmp_path), np.arange(100)
    orders = {tuple(rows.order(seed, epoch)[places].tolist()) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def examples(rows: Shards | Arrays) -> Examples:
    return Examples(rows, Pixels((4, 4, 1)), Labels(tuple("0123456789")))


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_however_many_processes_and_whenever_resumed_the_batches_are_the_same(tmp_path: Path, world_size: int) -> None:
    budget = Budget(images_seen=250, batch_size=8, learning_rate=1e-3, seed=3)
    rows = shards(tmp_path)
    assert isinstance(rows, Ordered)
    whole = [Batches(examples(rows), budget)[step] for step in range(budget.steps)]
    for step in (20, 5, 6, 30):  # no process has seen what came before
        parts = [Batches(examples(shards(tmp_path)), budget, rank, world_size)[step] for rank in range(world_size)]
        for rank, part in enumerate(parts):
            np.testing.assert_array_equal(part.data, whole[step].data[rank::world_size])
            np.testing.assert_array_equal(part.condition["label"], whole[step].condition["label"][rank::world_size])


def test_an_epoch_opens_each_shard_once(tmp_path: Path) -> None:
    rows = shards(tmp_path)
    budget = Budget(images_seen=100, batch_size=5, learning_rate=1e-3)
    batches = Batches(examples(rows), budget)
    for step in range(len(batches)):
        batches[step]
    assert sorted(rows.shelf.asked) == sorted(shard.sha256 for shard in rows.shards)


def test_another_process_opens_its_own(tmp_path: Path) -> None:
    rows = shards(tmp_path, texts=None)
    rows[np.arange(100)]
    again = pickle.loads(pickle.dumps(rows))
    np.testing.assert_array_equal(again[np.arange(3)]["data"], IMAGES[:3])
    assert "text" not in again[np.arange(3)]


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def changed(path: Path) -> None:
    """In its data: no reader of Arrow files would notice."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"damaged!")


@pytest.mark.parametrize(
    ("damage", "fault"),
    [(cut_off, r"is damaged .*; remove it"), (changed, r"is damaged .*; remove it"), (Path.unlink, "is missing")],
)
def test_a_shard_that_is_not_what_was_written_is_named_with_what_to_do(
    tmp_path: Path, damage: Callable[[Path], None], fault: str
) -> None:
    rows = shards(tmp_path)
    path = tmp_path / rows.shards[2].file
    damage(path)
    for each in (rows, pickle.loads(pickle.dumps(rows))):
        with pytest.raises(CacheError, match=rf"^{path}: the shard {fault}: `dvc checkout .*`dvc repro .*anew$"):
            each[np.array([48])]
    assert rows[np.array([0])]["text"] == ["image 0"]


def test_a_shard_is_compared_with_its_name_once(tmp_path: Path) -> None:
    rows = shards(tmp_path)
    path = rows.shelf.path(rows.shards[0])
    changed(path)
    assert rows.shelf.path(rows.shards[0]) == path


def test_equal_rows_make_equal_shards() -> None:
    assert content_of(IMAGES[:5], TEXTS[:5]) == content_of(IMAGES[:5].copy(), list(TEXTS[:5]))
    assert content_of(IMAGES[:5], TEXTS[:5]) != content_of(IMAGES[:5], None)
