"""Captions in a folder of images: text files beside them, and metadata as Hugging Face's imagefolder has it."""

import json
from pathlib import Path

import pytest
from PIL import Image

from fm.data.caption_reading import EMPTY, LONG, MOST_BYTES, NONE, NOT_READ, NOT_UTF8, Faults
from fm.data.dataset import Request
from fm.data.folder_captions import NO_COLUMN, NO_FILE_NAME, NO_IMAGE, NO_JSON
from fm.data.sources import ImageFolder, Splits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty images."""
    (tmp_path / "pictures").mkdir()
    for number in range(20):
        Image.new("RGB", (8, 8), (number, 0, 99)).save(tmp_path / "pictures" / f"{number:02}.png")
    return tmp_path / "pictures"


def read(folder: Path) -> Splits:
    return ImageFolder().load(Request(Path(), folder, 8, 3, 0.3, skip_bad=False))


def captions(splits: Splits) -> dict[str, tuple[str, ...]]:
    """Of the images that have any."""
    files, texts = splits.train_files + splits.test_files, splits.train_texts + splits.test_texts
    return {file: text for file, text in zip(files, texts, strict=True) if text} if texts else {}


def test_a_text_file_beside_an_image_has_a_caption_a_line(folder: Path) -> None:
    (folder / "00.txt").write_text("a red shoe\na shoe\n")
    (folder / "01.TXT").write_text("a bag")
    (folder / "02.a.png").write_bytes((folder / "02.png").read_bytes())
    (folder / "02.a.txt").write_text("another")
    splits = read(folder)
    assert captions(splits) == {"00.png": ("a red shoe", "a shoe"), "01.png": ("a bag",), "02.a.png": ("another",)}
    assert splits.left_out == ()
    assert splits.caption_faults == (Faults(NONE, 18, ("02.png", "03.png", "04.png", "05.png", "06.png")),)


def test_without_captions_nothing_is_said_of_them(folder: Path) -> None:
    (folder / "README.txt").write_text("about")
    splits = read(folder)
    assert (splits.train_texts, splits.test_texts, splits.caption_faults) == ((), (), ())
    assert splits.left_out == ((".", ".txt", 1),)


def test_text_files_that_cannot_be_used_are_counted_and_no_image_is_lost(folder: Path) -> None:
    for number in range(20):
        (folder / f"{number:02}.txt").write_text(f"number {number}")
    (folder / "00.txt").write_text("\n")
    (folder / "01.txt").write_bytes("Schläger".encode("latin-1"))
    with (folder / "02.txt").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    (folder / "03.txt").write_text("a" * 2001)
    (folder / "04.png").rename(folder / "4.png")
    splits = read(folder)
    assert len(splits.train_files) + len(splits.test_files) == 20
    assert captions(splits) == {f"{number:02}.png": (f"number {number}",) for number in range(5, 20)}
    assert splits.caption_faults == (
        Faults(EMPTY, 1, ("00.png",)),
        Faults(LONG, 2, ("02.png", "03.png")),
        Faults(NOT_UTF8, 1, ("01.png",)),
        Faults(NO_IMAGE, 1, ("04.txt",)),
        Faults(NONE, 1, ("4.png",)),
    )
    assert splits.left_out == ((".", ".txt", 1),)


def in_sub_folders(folder: Path) -> None:
    for number, path in enumerate(sorted(folder.iterdir())):
        to = folder / ("cats", "dogs/old")[number % 2] / path.name
        to.parent.mkdir(parents=True, exist_ok=True)
        path.rename(to)


def test_rows_of_metadata_have_paths_from_where_the_file_is(folder: Path) -> None:
    in_sub_folders(folder)
    rows: list[dict[str, object]] = [
        {"file_name": "cats/00.png", "text": "from above"},
        {"file_name": "./dogs/../dogs\\old\\01.png", "text": "on a crooked path"},
        {"file_name": "dogs/old/03.png", "caption_0": "one", "caption_1": "other", "author": "somebody"},
    ]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [{"file_name": "03.png", "captions": ["other", None, "third"]}, {"file_name": "05.png", "text": None}]
    (folder / "dogs" / "old" / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    splits = read(folder)
    assert captions(splits) == {
        "cats/00.png": ("from above",),
        "dogs/old/01.png": ("on a crooked path",),
        "dogs/old/03.png": ("other", "third", "one"),
    }
    assert splits.label_names == ("cats", "dogs")
    assert [(one.reason, one.number) for one in splits.caption_faults] == [(NONE, 17)]


def test_a_table_may_have_several_rows_of_an_image(folder: Path) -> None:
    table = 'file_name,text,other\n00.png,"a ""red"", shoe\nwith laces",x\n01.png,\n00.png,a shoe\n\n'
    (folder / "metadata.csv").write_text(table, encoding="utf-8-sig")
    (folder / "01.txt").write_text("beside it")
    assert captions(read(folder)) == {"00.png": ('a "red", shoe with laces', "a shoe"), "01.png": ("beside it",)}


def test_names_are_found_composed_or_not(folder: Path) -> None:
    (folder / "00.png").rename(folder / "Ange\u0301lique.png")
    (folder / "metadata.csv").write_text("file_name,text\nAng\u00e9lique.png,a face\n")
    assert captions(read(folder)) == {"Ang\u00e9lique.png": ("a face",)}


def test_rows_that_cannot_be_used_are_counted_with_their_lines(folder: Path) -> None:
    good = "".join(json.dumps({"file_name": f"{number:02}.png", "text": "good"}) + "\n" for number in range(17))
    bad = [
        b'{"file_name": "17.png"',
        b"[1]",
        b"[" * 100_000,
        b'{"text": "of nothing"}',
        b'{"file_name": 5, "text": "of a number"}',
        b'{"file_name": "../../etc/passwd", "text": "elsewhere"}',
        b'{"file_name": "18.png", "text": "caf\xe9"}',
        b'{"file_name": "19.png", "text": "half \\ud83d"}',
    ]
    (folder / "metadata.jsonl").write_bytes(good.encode() + b"\n".join(bad))
    splits = read(folder)
    assert len(captions(splits)) == 17
    assert splits.caption_faults == (
        Faults(NOT_UTF8, 2, ("18.png", "19.png")),
        Faults(NO_IMAGE, 1, ("../../etc/passwd in metadata.jsonl",)),
        Faults(NO_JSON, 3, ("metadata.jsonl:18", "metadata.jsonl:19", "metadata.jsonl:20")),
        Faults(NO_FILE_NAME, 2, ("metadata.jsonl:21", "metadata.jsonl:22")),
        Faults(NONE, 1, ("17.png",)),
    )


def test_a_table_of_something_else(folder: Path) -> None:
    (folder / "metadata.csv").write_text("file_name,width\n00.png,8\n01.png,8\n")
    assert read(folder).caption_faults == (Faults(NO_COLUMN, 1, ("metadata.csv",)),)
    (folder / "metadata.csv").write_text("id,url\n1,http://a\n2,http://b\n")
    assert {one.reason: one.number for one in read(folder).caption_faults} == {NO_COLUMN: 1, NO_FILE_NAME: 2}


def test_a_quotation_mark_that_nothing_ends(folder: Path) -> None:
    (folder / "metadata.csv").write_text('file_name,text\n00.png,good\n01.png,"bad\n' + "02.png,swallowed\n" * 20_000)
    splits = read(folder)
    assert captions(splits) == {"00.png": ("good",)}
    assert splits.caption_faults[0][:2] == (NOT_READ, 1)
