"""A folder as people have it becomes two splits, or a message that says what to do."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fm.data.duplicates import across
from fm.data.image_folder import FolderError, load
from fm.data.splits import Splits


def save(path: Path, number: int, **options: object) -> None:
    """An image like no other: its colour is its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 10), (number % 256, number // 256, 99)).save(path, **options)


def read(folder: Path, skip_bad: bool = False, test_fraction: float = 0.3) -> Splits:
    return load(folder, 8, 3, test_fraction, skip_bad)


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    for number in range(60):
        save(tmp_path / "images" / f"{number:03}.png", number)
    return tmp_path / "images"


def numbers(splits: Splits, part: str) -> set[int]:
    return {int(image[0, 0, 0]) for image in getattr(splits, f"{part}_images")}


def test_a_folder_without_labels(flat: Path) -> None:
    splits = read(flat)
    assert splits.label_names == ()
    assert splits.train_images.shape[1:] == (8, 8, 3)
    assert set(splits.train_labels) == set(splits.test_labels) == {0}
    assert numbers(splits, "train") | numbers(splits, "test") == set(range(60))
    assert numbers(splits, "train").isdisjoint(numbers(splits, "test"))
    assert 6 <= len(splits.test_images) <= 32
    for file, image in zip(splits.train_files, splits.train_images, strict=True):
        assert int(file.removesuffix(".png")) == image[0, 0, 0]


def test_sub_folders_are_labels_in_any_script(tmp_path: Path) -> None:
    for number in range(60):
        save(
            tmp_path / ["кошка", "猫/inside/deeper", "chat noir"][number % 3] / f"画像 {number}.jpg",
            number,
            quality=100,
        )
    splits = read(tmp_path)
    assert splits.label_names == ("chat noir", "кошка", "猫")
    assert splits.train_files[0].startswith("chat noir/画像 ")
    for part in ("train", "test"):
        files, labels = getattr(splits, f"{part}_files"), getattr(splits, f"{part}_labels")
        assert [splits.label_names[label] for label in labels] == [file.split("/")[0] for file in files]


def test_composed_and_decomposed_names_are_one(tmp_path: Path) -> None:
    for number in range(20):
        save(tmp_path / "one" / "Ange\u0301lique" / f"{number}.png", number)
        save(tmp_path / "two" / "Ang\u00e9lique" / f"{number}.png", number)
    assert read(tmp_path / "one").label_names == read(tmp_path / "two").label_names == ("Ang\u00e9lique",)


def test_the_test_split_stays_when_images_come_and_go(flat: Path) -> None:
    before = read(flat)
    for number in range(60, 90):
        save(flat / f"000-{number}.png", number)
    for name in before.train_files[:5]:
        (flat / name).unlink()
    after = read(flat)
    assert numbers(before, "test") <= numbers(after, "test")
    assert numbers(after, "train").isdisjoint(numbers(before, "test"))


def test_a_renamed_image_stays_in_its_split(flat: Path) -> None:
    before = read(flat)
    for path in list(flat.iterdir()):
        path.rename(flat / f"renamed-{path.name}")
    assert numbers(read(flat), "test") == numbers(before, "test")


def test_the_same_folder_gives_the_same_bytes_wherever_it_lies(flat: Path, tmp_path: Path) -> None:
    shutil.copytree(flat, tmp_path / "elsewhere")
    one, other = read(flat), read(tmp_path / "elsewhere")
    assert np.array_equal(one.train_images, other.train_images)
    assert one.train_files == other.train_files


def test_equal_files_fall_into_the_same_split(flat: Path) -> None:
    for path in list(flat.iterdir()):
        shutil.copy(path, flat / f"copy-{path.name}")
    splits = read(flat)
    assert across(splits.train_images, splits.test_images) == []


def test_equal_pixels_in_both_splits_are_found(flat: Path) -> None:
    for number in range(60):
        save(flat / f"again-{number:03}.png", number, compress_level=0)
    splits = read(flat)
    pairs = across(splits.train_images, splits.test_images)
    assert pairs
    for i, j in pairs:
        assert np.array_equal(splits.train_images[i], splits.test_images[j])
        assert splits.train_files[i].removeprefix("again-") == splits.test_files[j].removeprefix("again-")
    assert {j for _, j in pairs} == {
        j for j, image in enumerate(splits.test_images) if int(image[0, 0, 0]) in numbers(splits, "train")
    }


def damage(folder: Path) -> None:
    (folder / "text.png").write_text("no image")
    content = (folder / "001.png").read_bytes()
    (folder / "half.png").write_bytes(content[: len(content) // 2])


def test_bad_files_are_named_with_what_to_do(flat: Path) -> None:
    damage(flat)
    with pytest.raises(FolderError) as failure:
        read(flat)
    message = str(failure.value)
    assert "2 of 62 images cannot be used" in message
    assert "text.png: no image that Pillow can read" in message
    assert "half.png: " in message
    assert "dataset.on_bad_image: skip" in message


def test_bad_files_are_skipped_when_asked(flat: Path) -> None:
    expected = read(flat)
    damage(flat)
    splits = read(flat, skip_bad=True)
    assert [one.file for one in splits.skipped] == ["half.png", "text.png"]
    assert np.array_equal(splits.train_images, expected.train_images)


def test_other_and_hidden_files_are_no_images(flat: Path) -> None:
    expected = read(flat).train_files
    (flat / "README.txt").write_text("about")
    (flat / ".DS_Store").write_bytes(b"\0")
    save(flat / ".thumbnails" / "1.png", 1)
    assert read(flat).train_files == expected


def test_what_no_dataset_can_be_made_of(flat: Path, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"nowhere: there is no such folder; dataset\.path must be"):
        read(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FolderError, match="empty: there is no image in it"):
        read(tmp_path / "empty")
    save(flat / "cats" / "1.png", 100)
    with pytest.raises(FolderError, match=r"images both beside sub-folders \(000\.png\) and in them \(cats/\)"):
        read(flat)


def test_both_splits_and_every_label_need_images(tmp_path: Path) -> None:
    save(tmp_path / "single" / "1.png", 1)
    with pytest.raises(FolderError, match="of 1 images 1 are to train and 0 to test with"):
        read(tmp_path / "single", test_fraction=1e-9)
    for number in range(40):
        save(tmp_path / "labels" / "many" / f"{number}.png", number)
    splits = read(tmp_path / "labels")
    held_out = splits.test_files[0]
    (tmp_path / "labels" / "few").mkdir()
    (tmp_path / "labels" / held_out).rename(tmp_path / "labels" / "few" / "1.png")
    with pytest.raises(FolderError, match="no image to train with of few"):
        read(tmp_path / "labels")
