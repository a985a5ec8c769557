"""The parts of a dataset put together: what only all of them can say.

The rows of the parts are read from their files a part at a time, once for each question, so that what is in memory at
once are some bytes an image.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fm.data import caption_reading, collecting
from fm.data.caption_reading import Faults, numbers_of
from fm.data.listing import Listing, label_order
from fm.data.shard_files import Open, Shard
from fm.data.sharding import TEST, TRAIN, Filling, Made, Plan, make_parts, write_whole
from fm.data.splits import LeftOut, Skipped


class Sharded(NamedTuple):
    """What has become of a listing.

    Attributes:
        train, test: shards, in the order of their rows.
        train_labels, test_labels: int64 (N,).
        captions: number of captions -> images that have so many; empty where no image has one.
        caption_faults: as in fm.data.splits.Splits.
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
    captions: dict[int, int]
    caption_faults: tuple[Faults, ...]
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
    make_parts(listing.parts, plan, processes or os.cpu_count() or 1)
    return Assembly(listing, plan).result()


class Row(NamedTuple):
    """One image of a part.

    Attributes:
        captions: how many.
        faults: why others are not among them.

    >>> Row(False, "cat", "cats/1.png", captions=0, faults=["empty"], digest=bytes(32), pixels=bytes(16)).label
    'cat'
    """

    is_test: bool
    label: str | None
    name: str
    captions: int
    faults: list[str]
    digest: bytes
    pixels: bytes


def rows_of(path: Path) -> Iterator[Row]:
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    for values in zip(*(table.column(name).to_pylist() for name in Row._fields), strict=True):
        yield Row(*values)


@dataclass(frozen=True)
class Assembly:
    """All parts of a listing, each of which is made.

    >>> from fm.data.dataset import Request
    >>> asked = Request(Path(".cache"), Path("pictures"), size=8, channels=1, test_fraction=0.1, skip_bad=False)
    >>> plan = Plan(asked, shard_bytes=1000, work=Path("work"), place=None)
    >>> list(Assembly(Listing("pictures", parts=()), plan).rows())
    []
    """

    listing: Listing
    plan: Plan

    def rows(self) -> Iterator[Row]:
        """Of all parts, in their order."""
        for number in range(len(self.listing.parts)):
            yield from rows_of(self.plan.table(number))

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        numbers = range(len(self.listing.parts))
        return [json.loads(self.plan.record(number).read_text(encoding="utf-8")) for number in numbers]

    def of_each(self, key: str) -> list[Any]:
        """What the records have under a key, in one list."""
        return [one for record in self.records for one in record[key]]

    def result(self) -> Sharded:
        """Raises FolderError, as fm.data.collecting.collected."""
        origin, asked = self.listing.origin, self.plan.asked
        skipped = [Skipped(*one) for one in self.of_each("skipped")]
        if skipped and not asked.skip_bad:
            raise collecting.cannot_be_used(origin, skipped, sum(1 for _ in self.rows()) + len(skipped))
        names = label_order(self.listing.labels, {row.label for row in self.rows() if row.label is not None})
        missing = collecting.missing_labels(self.listing, names, skipped)
        if names:
            collecting.require_a_label_each(origin, names, [row.name for row in self.rows() if row.label is None])
        test_digests = collecting.held_out(((row.label, row.digest) for row in self.rows()), asked.test_fraction)
        train_labels, test_labels = self._labels(names, test_digests)
        collecting.require_both(origin, len(train_labels), len(test_labels))
        train, test = self._shards(test_digests)
        captions = numbers_of(row.captions for row in self.rows())
        counted = ((row.name, row.captions, row.faults) for row in self.rows())
        faults = caption_reading.of_images(counted, missing=bool(captions))
        return Sharded(
            train=[made.shard for made in train],
            test=[made.shard for made in test],
            train_labels=train_labels,
            test_labels=test_labels,
            label_names=names,
            captions=captions,
            caption_faults=caption_reading.summed([*self.listing.caption_faults, *faults]),
            deviation=deviation(train, int(np.prod(self.plan.stored))),
            skipped=skipped,
            left_out=collecting.summed([*self.listing.left_out, *(LeftOut(*one) for one in self.of_each("left_out"))]),
            warnings=[
                *self.listing.warnings,
                *missing,
                *collecting.dim(self.of_each("dim")),
                *collecting.under_two_labels(lambda: ((row.name, row.label, row.digest) for row in self.rows())),
            ],
            in_both_splits=self._same_pixels(test_digests),
        )

    def _train(self, test_digests: set[bytes]) -> Iterator[Row]:
        """What trains, in the order of the shards: what was kept back comes last."""
        yield from (row for row in self.rows() if not row.is_test)
        yield from (row for row in self.rows() if row.is_test and row.digest not in test_digests)

    def _test(self, test_digests: set[bytes]) -> Iterator[Row]:
        return (row for row in self.rows() if row.is_test and row.digest in test_digests)

    def _labels(self, names: Sequence[str], test_digests: set[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        numbers = {name: number for number, name in enumerate(names)}
        train, test = (
            np.fromiter((numbers.get(row.label or "", 0) for row in rows), dtype=np.int64)
            for rows in (self._train(test_digests), self._test(test_digests))
        )
        return train, test

    def _shards(self, test_digests: set[bytes]) -> tuple[list[Made], list[Made]]:
        """Those of both splits. What was taken for held out and is kept back, the greatest content of a label that has
        no other to train with, comes out of its shard into one at the end of the training split."""
        kept, test = Filling(self.plan), list[Made]()
        below = (row for row in self.rows() if row.is_test)
        for made in [Made(**one) for one in self.of_each(TEST)]:
            stays = [row.digest in test_digests for row in islice(below, made.rows)]
            if all(stays):
                test.append(made)
                continue
            left = Filling(self.plan)
            for is_left, pixels, text in zip(stays, *self._content(made.shard), strict=True):
                (left if is_left else kept).add(pixels, text)
            test += left.finish()
        return [Made(**one) for one in self.of_each(TRAIN)] + kept.finish(), test

    def _content(self, shard: Shard) -> tuple[NDArray[np.uint8], list[str]]:
        path = self.plan.shards / shard.file
        if self.plan.place is not None:
            write_whole(path, b"".join(self.plan.place.chunks(shard.file, 2**20)))
        opened = Open(path, np.uint8, self.plan.stored)
        return opened.data, opened.texts(np.arange(shard.rows)).tolist()

    def _same_pixels(self, test_digests: set[bytes]) -> list[tuple[str, str]]:
        """Names of a training image and of a test image that is the same, by the test images; the first of several."""
        wanted = {row.pixels for row in self._test(test_digests)}
        first: dict[bytes, str] = {}
        for row in self._train(test_digests):
            if row.pixels in wanted:
                first.setdefault(row.pixels, row.name)
        return [(first[row.pixels], row.name) for row in self._test(test_digests) if row.pixels in first]


def deviation(shards: Sequence[Made], numbers: int) -> float:
    """The standard deviation of all values of shards whose data have so many numbers each."""
    count = sum(one.rows for one in shards) * numbers
    mean = sum(one.sum for one in shards) / count
    return float(np.sqrt(max(sum(one.squares for one in shards) / count - mean**2, 0)))
