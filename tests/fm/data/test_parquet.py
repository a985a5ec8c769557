"""Parquet files as the Hugging Face hub has them: images as bytes, labels as numbers whose names the schema knows."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fm.data.caption_reading import NOT_UTF8
from fm.data.dataset import Request
from fm.data.folder_contents import FolderError
from fm.data.sources import Parquet, Splits

FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": ["zebra", "ant", "unseen"], "_type": "ClassLabel"},
    "caption": {"dtype": "string", "_type": "Value"},
}


def image(number: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (12, 10), (number % 256, number // 256, 99)).save(content, format="PNG")
    return content.getvalue()


def write(path: Path, columns: dict[str, Any], features: dict[str, Any] | None = FEATURES) -> None:
    table = pa.table(columns)
    if features is not None:
        said = {"info": {"features": {name: features[name] for name in columns}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(said)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=10)


def images(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"bytes": image(number), "path": f"{number}.png"} for number in range(first, first + count)]


def load(path: Path, skip_bad: bool = False) -> Splits:
    return Parquet().load(Request(Path(), path, 8, 3, 0.3, skip_bad))


def test_labels_have_the_names_and_the_order_of_the_schema(tmp_path: Path) -> None:
    columns = {"image": images(40), "label": [number % 2 for number in range(40)], "caption": ["a"] * 39 + [None]}
    write(tmp_path / "data" / "train-00000-of-00001.parquet", columns)
    splits = load(tmp_path)
    assert splits.label_names == ("zebra", "ant")
    assert splits.warnings == ("no label, since no image has it: unseen",)
    assert [int(one[0, 0, 0]) % 2 for one in splits.train_images] == splits.train_labels.tolist()
    assert {*splits.train_texts, *splits.test_texts} == {("a",), ()}


def test_captions_of_several_columns_and_kinds(tmp_path: Path) -> None:
    lists = [["one", None, "two"], [], None, ["three"]] * 10
    columns = {
        "image": images(40),
        "captions": pa.array(lists, pa.large_list(pa.string())),
        "prompt": pa.array(["same", "three"] * 20).dictionary_encode(),
        "text": list(range(40)),
        "text_url": ["http://a"] * 40,
    }
    write(tmp_path / "0.parquet", columns, features=None)
    splits = load(tmp_path)
    texts = dict(zip(splits.train_files + splits.test_files, splits.train_texts + splits.test_texts, strict=True))
    assert [texts[f"0.parquet/{number}"] for number in range(4)] == [
        ("one", "two", "same"),
        ("three",),
        ("same",),
        ("three",),
    ]


def test_texts_that_are_not_utf_8_are_left_and_their_images_stay(tmp_path: Path) -> None:
    column = pa.array([b"a shoe", b"caf\xe9"] * 20, pa.binary())
    for kind, text in (("bytes", column), ("text", column.view(pa.string()))):
        write(tmp_path / kind / "0.parquet", {"image": images(40), "text": text}, features=None)
        splits = load(tmp_path / kind)
        assert len(splits.train_files) + len(splits.test_files) == 40
        assert {*splits.train_texts, *splits.test_texts} == {("a shoe",), ()}
        assert [one[:2] for one in splits.caption_faults] == [(NOT_UTF8, 20)]


def test_plain_bytes_and_columns_known_by_their_names(tmp_path: Path) -> None:
    columns = {"img": [image(number) for number in range(40)], "fine_label": ["b", "a"] * 20, "id": list(range(40))}
    write(tmp_path / "0.parquet", columns, features=None)
    splits = load(tmp_path)
    assert splits.label_names == ("a", "b")
    assert splits.train_files[0] in ("0.parquet/0", "0.parquet/1", "0.parquet/2")


def test_other_splits_are_left_and_told(tmp_path: Path) -> None:
    for split, first in (("train", 0), ("test", 100), ("validation", 200)):
        write(tmp_path / f"{split}-00000-of-00001.parquet", {"image": images(30, first)})
    splits = load(tmp_path)
    assert len(splits.train_files) + len(splits.test_files) == 30
    assert splits.warnings == ("not read, since the test split is made here: test, validation",)


def test_what_cannot_be_used(tmp_path: Path) -> None:
    there = [*images(38), {"bytes": None, "path": "/home/somebody/1.png"}, {"bytes": b"no image", "path": None}]
    write(tmp_path / "train.parquet", {"image": there})
    with pytest.raises(FolderError, match=r"(?s)2 of 40 images .*train\.parquet/38: its image is not in the file"):
        load(tmp_path)
    assert len(load(tmp_path, skip_bad=True).skipped) == 2
    (tmp_path / "train.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(FolderError, match=r"train\.parquet: no parquet file that can be read"):
        load(tmp_path)
    write(tmp_path / "train.parquet", {"text": ["a"]}, features=None)
    with pytest.raises(FolderError, match="no column of images: there are text"):
        load(tmp_path)
