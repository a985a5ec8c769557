"""The same captioned images are the same rows, wherever they come from and however they are stored."""

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fm.captions import seen
from fm.data.assembling import sharded
from fm.data.caption_reading import MOST_CHARACTERS
from fm.data.captions import of_lines
from fm.data.dataset import Request
from fm.data.listing import FileDataset
from fm.data.prepared import Prepared
from fm.data.sharding import Plan
from fm.data.writing import write, write_sharded
from fm.noise import Draws

Captions = list[list[str]]
"""Texts of each image, as they come."""
Row = tuple[bytes, tuple[str, ...]]
"""Pixels and captions."""

COUNT = 8


def png(number: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), (number, 0, 99)).save(content, format="PNG")
    return content.getvalue()


def as_text_files(folder: Path, captions: Captions) -> None:
    """A line each, which their own line breaks would be otherwise."""
    for number, texts in enumerate(captions):
        (folder / f"{number}.png").write_bytes(png(number))
        if texts:
            (folder / f"{number}.txt").write_bytes("\n".join(" ".join(text.split()) for text in texts).encode())


def as_jsonl(folder: Path, captions: Captions) -> None:
    as_text_files(folder, [[] for _ in captions])
    rows = [{"file_name": f"{number}.png", "captions": texts} for number, texts in enumerate(captions)]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def as_csv(folder: Path, captions: Captions) -> None:
    as_text_files(folder, [[] for _ in captions])
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "text"])
        writer.writerows([f"{number}.png", text] for number, texts in enumerate(captions) for text in texts)


def as_tar(folder: Path, captions: Captions) -> None:
    with tarfile.open(folder / "0.tar", "w") as tar:
        for number, texts in enumerate(captions):
            members = {"png": png(number), "json": json.dumps({"caption": texts}).encode()}
            for ending, content in members.items():
                entry = tarfile.TarInfo(f"{number}.{ending}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


def as_parquet(folder: Path, captions: Captions) -> None:
    images = [{"bytes": png(number), "path": None} for number in range(len(captions))]
    pq.write_table(pa.table({"image": images, "caption": captions}), folder / "0.parquet")


SOURCES: dict[str, tuple[str, Callable[[Path, Captions], None]]] = {
    "text files": ("image-folder", as_text_files),
    "metadata.jsonl": ("image-folder", as_jsonl),
    "metadata.csv": ("image-folder", as_csv),
    "tar": ("webdataset", as_tar),
    "parquet": ("parquet", as_parquet),
}

# The mark of byte order at the beginning of a file is none of its text.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"), max_size=12)


def asked(path: Path) -> Request:
    return Request(Path(), path, 8, 3, 0.5, skip_bad=False)


def expected(captions: Captions) -> list[Row]:
    """By other words: blanks are single, and what is left of a text is a caption, once."""
    rows = []
    for number, texts in enumerate(captions):
        lines = [" ".join(text.split()) for text in texts]
        kept = tuple(line for place, line in enumerate(lines) if 0 < len(line) <= 2000 and line not in lines[:place])
        rows.append((np.full((8, 8, 3), (number, 0, 99), np.uint8).tobytes(), kept))
    return sorted(rows)


@settings(deadline=None, max_examples=12)
@given(captions=st.lists(st.lists(TEXTS, max_size=3), min_size=COUNT, max_size=COUNT))
@pytest.mark.parametrize("source", SOURCES)
def test_odd_texts(captions: Captions, source: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    name, write_as = SOURCES[source]
    folder = tmp_path_factory.mktemp("source")
    write_as(folder, captions)
    found = FileDataset.of(name).load(asked(folder))
    images, texts = [*found.train_images, *found.test_images], found.train_texts + found.test_texts
    rows = zip(map(bytes, images), texts or [()] * len(images), strict=True)
    assert sorted(rows) == expected(captions)


CAPTIONS: Captions = [
    ["a red shoe", "ein Schuh", "a\x1b[31mred\x00shoe; rm -rf / && <b>&amp;</b>"],
    ["сапог\u2028👞🏽", "сапог 👞🏽"],
    [],
    ["  "],
    ["a" * (MOST_CHARACTERS + 1), "a short one"],
    ["one"],
    ["one", "one"],
    ["../../etc/passwd"],
]


def in_arrays(dataset: FileDataset, path: Path, folder: Path) -> Prepared:
    write(folder / "prepared", dataset.load(asked(path)), "shoes")
    return Prepared.open(folder / "prepared")


def in_shards(dataset: FileDataset, path: Path, folder: Path) -> Prepared:
    plan = Plan(asked(path), shard_bytes=3 * 8 * 8 * 3, work=folder / "work", place=None)
    write_sharded(folder / "prepared", "shoes", sharded(dataset.listing(path), plan, 1), plan, 10**6)
    return Prepared.open(folder / "prepared")


@pytest.mark.parametrize("stored", [in_arrays, in_shards])
@pytest.mark.parametrize("source", SOURCES)
def test_arrays_and_shards(source: str, stored: Callable[[FileDataset, Path, Path], Prepared], tmp_path: Path) -> None:
    name, write_as = SOURCES[source]
    (tmp_path / "source").mkdir()
    write_as(tmp_path / "source", CAPTIONS)
    prepared = stored(FileDataset.of(name), tmp_path / "source", tmp_path)
    prepared.verify()
    rows: list[Row] = []
    for split in (prepared.train, prepared.test):
        fields = split[np.arange(len(split))]
        rows += zip(map(bytes, fields["data"]), map(of_lines, fields["text"]), strict=True)
        drawn = seen(fields["text"], Draws(0, range(len(split))))
        assert all(one in (captions or ("",)) for one, (_, captions) in zip(drawn, rows[-len(split) :], strict=True))
    assert sorted(rows) == expected(CAPTIONS)


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_told_of_shards_is_what_is_told_of_arrays(source: str, tmp_path: Path) -> None:
    name, write_as = SOURCES[source]
    write_as(tmp_path, CAPTIONS)
    dataset = FileDataset.of(name)
    plan = Plan(asked(tmp_path), shard_bytes=1000, work=tmp_path / ".work", place=None)
    made, splits = sharded(dataset.listing(tmp_path), plan, 1), dataset.load(asked(tmp_path))
    assert made.caption_faults == splits.caption_faults
    assert len(splits.caption_faults) >= 2
    assert made.captions == {0: 2, 1: 5, 3: 1}
