"""Prepares images as shards: part by part, in several processes, each part's result kept until all are there.

    work/000012.json     what part 12 has given: its shards, what was skipped, how many bytes have which value
    work/000012.arrow    each of its images: split, label, name, SHA-256 of its file, hash of its pixels

A part's result is a function of the part and of what is asked: who is killed and begins again goes on with the parts
that are missing, and ends with the same bytes. Rules and words are those of fm.data.collecting.
"""

import hashlib
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fm.data import collecting
from fm.data.collecting import Read, read_part
from fm.data.dataset import Request
from fm.data.listing import Listing, Part, label_order
from fm.data.shard_files import Open, Shard, content_of, shard_of
from fm.data.splits import LeftOut, Skipped
from fm.s3 import Place

TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class Plan:
    """How shards are made.

    Attributes:
        asked: how images are decoded and held out.
        shard_bytes: of data in a shard, more or less.
        work: the folder of what is not finished. It is this preparation's alone: another dataset, or another way to
            read it, has another.
        place: the store that the shards go to; they are kept below `work` where there is none.

    >>> from fm.data.dataset import Request
    >>> asked = Request(Path(".cache"), Path("pictures"), size=32, channels=3, test_fraction=0.1, skip_bad=False)
    >>> Plan(asked, shard_bytes=32_000_000, work=Path(".cache/sharding"), place=None).rows
    10416
    """

    asked: Request
    shard_bytes: int
    work: Path
    place: Place | None

    @property
    def stored(self) -> tuple[int, int, int]:
        return self.asked.size, self.asked.size, self.asked.channels

    @property
    def rows(self) -> int:
        """Of a whole shard."""
        return max(self.shard_bytes // int(np.prod(self.stored)), 1)

    def record(self, number: int) -> Path:
        return self.work / f"{number:06}.json"

    def table(self, number: int) -> Path:
        return self.work / f"{number:06}.arrow"

    @property
    def shards(self) -> Path:
        """Where they are kept if there is no store."""
        return self.work / "shards"


class Sharded(NamedTuple):
    """What has become of a listing.

    Attributes:
        train, test: shards, in the order of their rows.
        train_labels, test_labels: int64 (N,).
        has_texts: whether something is written about any image.
        deviation: of the training images' values from 0 to 255.
        in_both_splits: names of two images, one of either split, that are the same pixel for pixel.

    >>> Sharded._fields[:2]
    ('train', 'test')
    """

    train: list[Shard]
    test: list[Shard]
    train_labels: NDArray[np.int64]
    test_labels: NDArray[np.int64]
    label_names: tuple[str, ...]
    has_texts: bool
    deviation: float
    skipped: list[Skipped]
    left_out: tuple[LeftOut, ...]
    warnings: list[str]
    in_both_splits: list[tuple[str, str]]


def sharded(listing: Listing, plan: Plan, processes: int | None = None) -> Sharded:
    """All images of a listing as shards, with a process for each core unless said otherwise.

    Raises:
        FolderError: as fm.data.collecting.collected.
        UserError, TryLater: the store does not take them.
    """
    plan.shards.mkdir(parents=True, exist_ok=True)
    make_parts(listing.parts, plan, processes or os.cpu_count() or 1)
    records = [json.loads(plan.record(number).read_text(encoding="utf-8")) for number in range(len(listing.parts))]
    images = [rows_of(plan.table(number)) for number in range(len(listing.parts))]
    return Assembly(listing, plan, records, images).result()


def make_parts(parts: Sequence[Part], plan: Plan, processes: int) -> None:
    """The parts that are not made yet."""
    missing = [number for number in range(len(parts)) if not plan.record(number).is_file()]
    if processes == 1 or len(missing) < 2:
        for number in missing:
            make_part(number, parts[number], plan)
        return
    # A fork would take along the locks of threads that it has not.
    context = multiprocessing.get_context("spawn")
    count = min(processes, len(missing))
    with ProcessPoolExecutor(count, mp_context=context, initializer=end_with, initargs=(os.getpid(),)) as pool:
        for done in [pool.submit(make_part, number, parts[number], plan) for number in missing]:
            done.result()


def end_with(parent: int) -> None:
    """End this process when its parent is gone: killed, it could not say so."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def make_part(number: int, part: Part, plan: Plan) -> None:
    """Write the shards of a part, then what is in them; its record comes last, so that a part with one is complete."""
    filling = {TRAIN: Filling(plan), TEST: Filling(plan)}
    images: list[tuple[bool, Read, bytes]] = []
    others: list[Skipped | LeftOut] = []
    for one in read_part(part, plan.asked.size, plan.asked.channels):
        if not isinstance(one, Read):
            others.append(one)
            continue
        is_test = collecting.is_below(one.digest, plan.asked.test_fraction)
        filling[TEST if is_test else TRAIN].add(one.pixels, one.text)
        images.append((is_test, without_pixels(one), hashlib.blake2b(one.pixels.tobytes(), digest_size=16).digest()))
    made = {split: [one._asdict() for one in some.finish()] for split, some in filling.items()}
    write_rows(plan.table(number), images)
    record = {
        **made,
        "skipped": [one for one in others if isinstance(one, Skipped)],
        "left_out": [one for one in others if isinstance(one, LeftOut)],
        "dim": [one.name for _, one, _ in images if one.is_dim],
    }
    write_whole(plan.record(number), json.dumps(record).encode())


class Made(NamedTuple):
    """A shard, and the exact sums of its values and of their squares.

    >>> deviation([Made("9f86d0", rows=1, bytes=400, sum=4, squares=10)], numbers=2)
    1.0
    """

    sha256: str
    rows: int
    bytes: int
    sum: int
    squares: int

    @property
    def shard(self) -> Shard:
        return Shard(self.sha256, self.rows, self.bytes)


@dataclass
class Filling:
    """Images on their way into shards.

    >>> from fm.data.dataset import Request
    >>> asked = Request(Path(".cache"), Path("pictures"), size=8, channels=1, test_fraction=0.1, skip_bad=False)
    >>> Filling(Plan(asked, shard_bytes=1000, work=Path("work"), place=None)).finish()
    []
    """

    plan: Plan
    pixels: list[NDArray[np.uint8]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)

    def add(self, pixels: NDArray[np.uint8], text: str) -> None:
        self.pixels.append(pixels)
        self.texts.append(text)
        if len(self.pixels) >= self.plan.rows:
            self._write()

    def finish(self) -> list[Made]:
        """All shards; what is left makes a small one."""
        if self.pixels:
            self._write()
        return self.made

    def _write(self) -> None:
        self.made.append(write_shard(np.stack(self.pixels), self.texts, self.plan))
        self.pixels, self.texts = [], []


def write_shard(pixels: NDArray[np.uint8], texts: Sequence[str], plan: Plan) -> Made:
    content = content_of(pixels, texts)
    shard = shard_of(content, len(pixels))
    if plan.place is None:
        write_whole(plan.shards / shard.file, content)
    else:
        plan.place.write_new(shard.file, content)
    counts = np.bincount(pixels.reshape(-1), minlength=256).tolist()
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    return Made(*shard, sum=total, squares=squares)


def write_whole(path: Path, content: bytes) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)


def without_pixels(one: Read) -> Read:
    return Read(one.name, one.label, one.text and "some", np.empty(0, np.uint8), one.is_dim, one.digest)


def write_rows(path: Path, images: Sequence[tuple[bool, Read, bytes]]) -> None:
    table = pa.table(
        {
            "is_test": pa.array([is_test for is_test, _, _ in images], pa.bool_()),
            "label": pa.array([one.label for _, one, _ in images], pa.string()),
            "name": pa.array([one.name for _, one, _ in images], pa.string()),
            "has_text": pa.array([bool(one.text) for _, one, _ in images], pa.bool_()),
            "digest": pa.array([one.digest for _, one, _ in images], pa.binary(32)),
            "pixels": pa.array([pixels for _, _, pixels in images], pa.binary(16)),
        }
    )
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


class Row(NamedTuple):
    """One image of a part.

    >>> Row(False, "cat", "cats/1.png", has_text=False, digest=bytes(32), pixels=bytes(16)).label
    'cat'
    """

    is_test: bool
    label: str | None
    name: str
    has_text: bool
    digest: bytes
    pixels: bytes


def rows_of(path: Path) -> list[Row]:
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    return [Row(*values) for values in zip(*(table.column(name).to_pylist() for name in Row._fields), strict=True)]


@dataclass
class Assembly:
    """The parts put together: what only all of them can say.

    >>> from fm.data.dataset import Request
    >>> asked = Request(Path(".cache"), Path("pictures"), size=8, channels=1, test_fraction=0.1, skip_bad=False)
    >>> plan = Plan(asked, shard_bytes=1000, work=Path("work"), place=None)
    >>> Assembly(Listing("pictures", parts=()), plan, records=[], images=[]).listing.origin
    'pictures'
    """

    listing: Listing
    plan: Plan
    records: list[dict[str, Any]]
    images: list[list[Row]]

    def result(self) -> Sharded:
        origin, asked = self.listing.origin, self.plan.asked
        rows = [row for part in self.images for row in part]
        skipped = [Skipped(*one) for record in self.records for one in record["skipped"]]
        if skipped and not asked.skip_bad:
            raise collecting.cannot_be_used(origin, skipped, len(rows) + len(skipped))
        names = label_order(self.listing.labels, {row.label for row in rows if row.label is not None})
        warnings = [*self.listing.warnings, *collecting.missing_labels(self.listing, names, skipped)]
        warnings += collecting.dim([name for record in self.records for name in record["dim"]])
        collecting.require_a_label_each(origin, names, [row.name for row in rows if row.label is None])
        test_digests = collecting.held_out(((row.label, row.digest) for row in rows), asked.test_fraction)
        collecting.require_both(
            origin,
            sum(row.digest not in test_digests for row in rows),
            sum(row.digest in test_digests for row in rows),
        )
        train, test, train_rows, test_rows = self._splits(test_digests)
        numbers = {name: number for number, name in enumerate(names)}
        return Sharded(
            [made.shard for made in train],
            [made.shard for made in test],
            np.array([numbers.get(row.label or "", 0) for row in train_rows], dtype=np.int64),
            np.array([numbers.get(row.label or "", 0) for row in test_rows], dtype=np.int64),
            names,
            any(row.has_text for row in rows),
            deviation(train, int(np.prod(self.plan.stored))),
            skipped,
            collecting.summed(
                [*self.listing.left_out, *(LeftOut(*one) for record in self.records for one in record["left_out"])]
            ),
            warnings + collecting.under_two_labels((row.name, row.label, row.digest) for row in rows),
            same_pixels(train_rows, test_rows),
        )

    def _splits(self, test_digests: set[bytes]) -> tuple[list[Made], list[Made], list[Row], list[Row]]:
        """Shards and rows of both. What was taken for held out and is kept back, the greatest content of a label that
        has no other to train with, comes out of its shard into one at the end of the training split."""
        made = {split: [Made(**one) for record in self.records for one in record[split]] for split in (TRAIN, TEST)}
        train_rows = [row for part in self.images for row in part if not row.is_test]
        below = [row for part in self.images for row in part if row.is_test]
        kept, test, back = Filling(self.plan), list[Made](), []
        for shard, some in zip(made[TEST], split_by(below, [one.rows for one in made[TEST]]), strict=True):
            if all(row.digest in test_digests for row in some):
                test.append(shard)
                continue
            stays = Filling(self.plan)
            pixels, texts = self._content(shard.shard)
            for row, one, text in zip(some, pixels, texts, strict=True):
                (stays if row.digest in test_digests else kept).add(one, text)
            back += [row for row in some if row.digest not in test_digests]
            test += stays.finish()
        test_rows = [row for row in below if row.digest in test_digests]
        return made[TRAIN] + kept.finish(), test, train_rows + back, test_rows

    def _content(self, shard: Shard) -> tuple[NDArray[np.uint8], list[str]]:
        path = self.plan.shards / shard.file
        if self.plan.place is not None:
            write_whole(path, b"".join(self.plan.place.chunks(shard.file, 2**20)))
        opened = Open(path, np.uint8, self.plan.stored)
        return opened.data, opened.texts(np.arange(shard.rows)).tolist()


def split_by(rows: Sequence[Row], counts: Sequence[int]) -> Iterator[Sequence[Row]]:
    start = 0
    for count in counts:
        yield rows[start : start + count]
        start += count


def deviation(shards: Sequence[Made], numbers: int) -> float:
    """The standard deviation of all values of shards whose data have so many numbers each."""
    count = sum(one.rows for one in shards) * numbers
    mean = sum(one.sum for one in shards) / count
    return float(np.sqrt(max(sum(one.squares for one in shards) / count - mean**2, 0)))


def same_pixels(train: Sequence[Row], test: Sequence[Row]) -> list[tuple[str, str]]:
    """Names of a training image and of a test image that is the same, by the test images; the first of several."""
    wanted = {row.pixels for row in test}
    first: dict[bytes, str] = {}
    for row in train:
        if row.pixels in wanted:
            first.setdefault(row.pixels, row.name)
    return [(first[row.pixels], row.name) for row in test if row.pixels in first]
