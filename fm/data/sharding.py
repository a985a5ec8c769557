"""Makes shards of images: part by part, in several processes, each part's result kept until all are there.

    work/000012.json     what part 12 has given: its shards with sums of their values, and what was skipped
    work/000012.arrow    each of its images: split, label, name, captions, SHA-256 of its file, hash of its pixels

A part's result is a function of the part and of what is asked: who is killed and begins again goes on with the parts
that are missing, and ends with the same bytes. fm.data.assembling puts the parts together.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fm.data import collecting
from fm.data.captions import as_lines
from fm.data.collecting import Read, read_part
from fm.data.dataset import Request
from fm.data.listing import Part
from fm.data.processes import processes
from fm.data.shard_files import Shard, content_of, shard_of
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


def make_parts(parts: Sequence[Part], plan: Plan, count: int) -> None:
    """The parts that are not made yet, by so many processes."""
    plan.shards.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(len(parts)) if not plan.record(number).is_file()]
    if count == 1 or len(missing) < 2:
        for number in missing:
            make_part(number, parts[number], plan)
        return
    with processes(min(count, len(missing))) as pool:
        jobs = [pool.submit(make_part, number, parts[number], plan) for number in missing]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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
        filling[TEST if is_test else TRAIN].add(one.pixels, as_lines(one.said.captions))
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

    >>> Made("9f86d0", rows=1, bytes=400, sum=4, squares=10).shard
    Shard(sha256='9f86d0', rows=1, bytes=400)
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
    total = int(pixels.sum(dtype=np.int64))
    squares = sum(int(np.square(image, dtype=np.int64).sum()) for image in pixels)  # one by one: eight bytes a value
    return Made(*shard, sum=total, squares=squares)


def write_whole(path: Path, content: bytes) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)


def without_pixels(one: Read) -> Read:
    """What is kept of it till the part is done: how many captions, and not what they say."""
    said = one.said._replace(captions=("",) * len(one.said.captions))
    return Read(one.name, one.label, said, np.empty(0, np.uint8), one.is_dim, one.digest)


def write_rows(path: Path, images: Sequence[tuple[bool, Read, bytes]]) -> None:
    table = pa.table(
        {
            "is_test": pa.array([is_test for is_test, _, _ in images], pa.bool_()),
            "label": pa.array([one.label for _, one, _ in images], pa.string()),
            "name": pa.array([one.name for _, one, _ in images], pa.string()),
            "captions": pa.array([len(one.said.captions) for _, one, _ in images], pa.int32()),
            "faults": pa.array([one.said.faults for _, one, _ in images], pa.list_(pa.string())),
            "digest": pa.array([one.digest for _, one, _ in images], pa.binary(32)),
            "pixels": pa.array([pixels for _, _, pixels in images], pa.binary(16)),
        }
    )
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
