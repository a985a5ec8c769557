"""Tar files as img2dataset and webdataset write them."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from fm.data.caption_reading import EMPTY, NONE, NOT_TEXT, NOT_UTF8
from fm.data.dataset import Request
from fm.data.folder_contents import FolderError
from fm.data.sources import Dataset, Splits, WebDataset


def image(number: int, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (12, 10), (number % 256, number // 256, 99)).save(content, format=kind)
    return content.getvalue()


def write(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def load(path: Path, skip_bad: bool = False) -> Splits:
    return WebDataset().load(Request(Path(), path, 8, 3, 0.3, skip_bad))


def of_img2dataset(first: int, count: int) -> dict[str, bytes]:
    members = {}
    for number in range(first, first + count):
        key = f"{number:09}"
        members[f"{key}.jpg"] = image(number, "JPEG")
        members[f"{key}.json"] = json.dumps({"caption": f"caption {number}", "status": "success"}).encode()
        members[f"{key}.txt"] = f"caption {number}\n".encode()
    return members


def test_captions_of_img2dataset_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "00001.tar", of_img2dataset(30, 30))
    write(tmp_path / "00000.tar", of_img2dataset(0, 30))
    (tmp_path / "00000_stats.json").write_text("{}")
    splits = load(tmp_path)
    assert splits.label_names == ()
    assert splits.train_files[0] == "00000.tar/000000000.jpg"
    assert len(splits.train_files) + len(splits.test_files) == 60
    for file, text in zip(splits.train_files + splits.test_files, splits.train_texts + splits.test_texts, strict=True):
        assert text == (f"caption {int(file.split('/')[1].removesuffix('.jpg'))}",)


def test_captions_in_json_and_those_that_cannot_be_used(tmp_path: Path) -> None:
    members = {}
    for number in range(40):
        members[f"{number:02}.png"] = image(number)
        members[f"{number:02}.json"] = json.dumps({"caption": ["one", "other"], "width": 12}).encode()
    members |= {"00.json": b"{}", "01.json": b'{"caption": ""}', "02.json": b'{"caption": 5}', "03.txt": b"caf\xe9"}
    write(tmp_path / "one.tar", dict(sorted(members.items())))
    splits = load(tmp_path)
    assert len(splits.train_files) + len(splits.test_files) == 40
    texts = dict(zip(splits.train_files + splits.test_files, splits.train_texts + splits.test_texts, strict=True))
    assert {file: text for file, text in texts.items() if text != ("one", "other")} == {
        f"one.tar/{number:02}.png": () for number in range(4)
    }
    assert {one.places: one.reason for one in splits.caption_faults} == {
        ("one.tar/00.png",): NONE,
        ("one.tar/01.png",): EMPTY,
        ("one.tar/02.png",): NOT_TEXT,
        ("one.tar/03.png",): NOT_UTF8,
    }


def test_classes_are_labels_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    members = {}
    for number in range(60):
        members[f"a/{number}.cls"] = str(number % 12).encode()
        members[f"a/{number}.png"] = image(number)
    write(tmp_path / "one.tar", members)
    splits = load(tmp_path / "one.tar")
    assert splits.label_names == tuple(map(str, range(12)))
    assert splits.train_texts == ()
    for image_, label in zip(splits.train_images, splits.train_labels, strict=True):
        assert image_[0, 0, 0] % 12 == label


def test_labels_in_json(tmp_path: Path) -> None:
    members = {}
    for number in range(40):
        members[f"{number}.png"] = image(number)
        members[f"{number}.json"] = json.dumps({"label": ["dog", "cat"][number % 2]}).encode()
    write(tmp_path / "one.tar", members)
    assert load(tmp_path).label_names == ("cat", "dog")


def test_what_is_no_image_or_a_bad_one(tmp_path: Path) -> None:
    members = of_img2dataset(0, 40)
    members |= {
        "000000040.json": b"{}",
        "000000041.jpg": b"no image",
        "000000042.jpg": image(7),
        "000000042.json": b"{",
    }
    write(tmp_path / "00000.tar", members)
    with pytest.raises(FolderError, match=r"(?s)2 of 42 images cannot be used:.*000000041\.jpg: no image"):
        load(tmp_path)
    splits = load(tmp_path, skip_bad=True)
    assert [one.file for one in splits.skipped] == ["00000.tar/000000041.jpg", "00000.tar/000000042.json"]
    assert splits.left_out == (("00000.tar", "samples without an image", 1),)


def test_a_tar_file_that_is_cut_off(tmp_path: Path) -> None:
    write(tmp_path / "00000.tar", of_img2dataset(0, 40))
    content = (tmp_path / "00000.tar").read_bytes()
    (tmp_path / "00000.tar").write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(FolderError, match=r"00000\.tar: damaged after 0000000\d\d: "):
        load(tmp_path)
    assert (
        20 < sum(map(len, (load(tmp_path, skip_bad=True).train_files, load(tmp_path, skip_bad=True).test_files))) < 40
    )


def test_some_labelled_and_some_not(tmp_path: Path) -> None:
    write(tmp_path / "one.tar", {"1.png": image(1), "1.cls": b"3", "2.png": image(2)})
    with pytest.raises(FolderError, match=r"1 images have no label and others have: one\.tar/2\.png; label"):
        load(tmp_path)


def test_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"there is no \.tar file in it"):
        load(tmp_path)
    (tmp_path / "README.md").touch()
    for path in (tmp_path / "README.md", tmp_path / "nowhere"):
        with pytest.raises(FolderError, match=r"must be a \.tar file or a folder of them"):
            load(path)


def test_images_are_counted_without_being_read(tmp_path: Path) -> None:
    write(tmp_path / "00000.tar", of_img2dataset(0, 30))
    write(tmp_path / "00001.tar", of_img2dataset(30, 5))
    listing = Dataset.of("webdataset").listing(tmp_path)  # type: ignore[attr-defined]
    assert [part.count() for part in listing.parts] == [30, 5]
    assert (listing.has_more_than(34), listing.has_more_than(35)) == (True, False)
