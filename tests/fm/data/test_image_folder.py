"""A folder as people have it becomes two splits, or a message that says what to do."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fm.data.collecting import MAX_BYTES, held_out
from fm.data.dataset import Request
from fm.data.duplicates import across
from fm.data.image_folder import FolderError, ImageFolder
from fm.data.splits import Splits


def save(path: Path, number: int, **options: object) -> None:
    """An image like no other: its colour is its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 10), (number % 256, number // 256, 99)).save(path, **options)


def read(folder: Path, skip_bad: bool = False, test_fraction: float = 0.3) -> Splits:
    return ImageFolder().load(Request(Path(), folder, 8, 3, test_fraction, skip_bad))


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


def test_both_splits_need_images(tmp_path: Path) -> None:
    save(tmp_path / "single" / "1.png", 1)
    with pytest.raises(FolderError, match="of 1 images 1 are to train and 0 to test with"):
        read(tmp_path / "single", test_fraction=1e-9)


def contents(labels: list[int], digests: list[int]) -> list[tuple[str | None, bytes]]:
    return [(str(label), digest.to_bytes(8, "big")) for label, digest in zip(labels, digests, strict=True)]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**64 - 1)), min_size=1, unique_by=lambda one: one[1]),
    st.floats(0.01, 0.99),
    st.data(),
)
def test_every_label_trains_and_no_test_image_ever_does(
    found: list[tuple[int, int]], fraction: float, data: st.DataObject
) -> None:
    """Whatever is added: what is held out stays so, and of what trains only a label's one that was kept back moves."""
    labels, digests = map(list, zip(*found, strict=True))
    after = held_out(contents(labels, digests), fraction)
    assert {label for label, one in found if one.to_bytes(8, "big") not in after} == set(labels)
    there = data.draw(st.integers(1, len(found)))
    before = held_out(contents(labels[:there], digests[:there]), fraction)
    assert before <= after
    moved = {one.to_bytes(8, "big") for one in digests[:there]} & (after - before)
    assert len(moved) <= len(set(labels))
    assert all(int.from_bytes(one, "big") < fraction * 2**64 for one in after)


def test_labels_of_one_image_can_be_trained(tmp_path: Path) -> None:
    for number in range(30):
        save(tmp_path / f"species {number:02}" / "1.png", number)
    save(tmp_path / "species 00" / "2.png", 100)
    save(tmp_path / "species 00" / "3.png", 101)
    splits = read(tmp_path, test_fraction=0.99)
    assert set(splits.train_labels) == set(range(30))
    assert set(splits.test_labels) == {0}


def test_equal_files_of_two_labels_are_in_one_split(tmp_path: Path) -> None:
    for number in range(10):
        save(tmp_path / "many" / f"{number}.png", number)
    for name in read(tmp_path, test_fraction=0.5).test_files:
        (tmp_path / name.replace("many/", "few-").removesuffix(".png")).mkdir()
        shutil.copy(tmp_path / name, tmp_path / name.replace("many/", "few-").replace(".png", "/1.png"))
    for number in range(20):
        save(tmp_path / "more" / f"{number}.png", 200 + number)
    splits = read(tmp_path, test_fraction=0.5)
    assert set(splits.train_labels) == set(range(len(splits.label_names)))
    assert across(splits.train_images, splits.test_images) == []


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    for number in range(40):
        save(tmp_path / "pictures" / ("cats" if number % 2 else "dogs") / f"{number:02}.png", number)
    return tmp_path / "pictures"


def test_a_label_may_be_a_link(labelled: Path, tmp_path: Path) -> None:
    expected = read(labelled)
    (labelled / "cats").rename(tmp_path / "store")
    (labelled / "cats").symlink_to("../store")
    (tmp_path / "links").mkdir()
    for label in ("cats", "dogs"):
        (tmp_path / "links" / label).symlink_to(labelled / label)
    for folder, elsewhere in ((labelled, 20), (tmp_path / "links", 40)):
        splits = read(folder)
        assert splits.label_names == expected.label_names == ("cats", "dogs")
        assert np.array_equal(splits.train_images, expected.train_images)
        assert sum(one.images for one in splits.elsewhere) == elsewhere
        assert all(one.by_folder for one in splits.elsewhere)
    assert {one.place for one in splits.elsewhere} == {str(tmp_path / "store"), str(labelled / "dogs")}


def test_formats_that_are_not_read_are_bad_images(labelled: Path) -> None:
    expected = read(labelled)
    for number in range(3):
        (labelled / "cats" / f"IMG_{number}.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    shutil.copy(labelled / "dogs" / "00.png", labelled / "dogs" / "x.dng")
    with pytest.raises(FolderError, match=r"(?s)4 of 44 images .*IMG_0.HEIC: \.heic is .*; save it as PNG or JPEG"):
        read(labelled)
    splits = read(labelled, skip_bad=True)
    assert [one.file for one in splits.skipped] == [*(f"cats/IMG_{number}.HEIC" for number in range(3)), "dogs/x.dng"]
    assert np.array_equal(splits.train_images, expected.train_images)


def test_a_label_is_not_lost_with_its_images(labelled: Path) -> None:
    (labelled / "birds").mkdir()
    (labelled / "birds" / "1.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(
        FolderError, match=r"no image of birds can be used \(birds/1\.heic: .*\); .* remove the sub-folder"
    ):
        read(labelled, skip_bad=True)
    (labelled / "birds" / "1.heic").rename(labelled / "birds" / "notes.txt")
    splits = read(labelled)
    assert splits.label_names == ("cats", "dogs")
    assert splits.warnings == ("no label, since no image is in it: birds",)


def test_an_image_beside_the_labels_that_is_not_read_is_bad_alone(labelled: Path) -> None:
    (labelled / "logo.svg").write_text("<svg/>")
    with pytest.raises(FolderError, match=r"1 of 41 images cannot be used:\n  logo\.svg"):
        read(labelled)
    assert read(labelled, skip_bad=True).label_names == ("cats", "dogs")


def test_files_that_are_no_images_are_counted(labelled: Path) -> None:
    for name in ("embeddings.h5", "cats/preview.mpg", "cats/paper.pdf"):
        (labelled / name).write_bytes(b"content")
    splits = read(labelled)
    assert splits.left_out == ((".", ".h5", 1), ("cats", ".mpg", 1), ("cats", ".pdf", 1))
    assert len(splits.train_files) + len(splits.test_files) == 40


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        (("train", "val"), r"the sub-folders train, val are taken for labels\. .* set dataset\.path to \S+/train,"),
        (("Training", "TEST", "more"), r"the sub-folders TEST, Training are"),
        (("training_set", "test_set"), r"the sub-folders test_set, training_set are .*path to \S+/training_set,"),
        (("Train Set", "dev", "eval"), r"the sub-folders Train Set, dev, eval are"),
        (("train",), r"the sub-folders train are .* set dataset\.path to \S+/train,"),
        (("pictures",), r"pictures is the only label, .* \(cats, dogs\)\. .* set dataset\.path to \S+/pictures$"),
    ],
)
def test_folders_above_the_labels_are_doubted(
    labelled: Path, tmp_path: Path, above: tuple[str, ...], expected: str
) -> None:
    for name in above:
        shutil.copytree(labelled, tmp_path / "whole" / name)
    warning, *_ = read(tmp_path / "whole").warnings
    assert re.search(expected, warning)


@pytest.mark.parametrize("labels", [("cats",), ("bus", "train"), ("1", "2")])
def test_labels_that_may_be_meant_are_not_doubted(tmp_path: Path, labels: tuple[str, ...]) -> None:
    for number in range(40):
        save(tmp_path / labels[number % len(labels)] / f"{number}.png", number)
    assert read(tmp_path).warnings == ()


def test_twelve_bits_in_sixteen_are_a_warning(labelled: Path) -> None:
    ramp = np.linspace(0, 4095, 100).astype(np.uint16).reshape(10, 10)
    Image.fromarray(ramp).save(labelled / "cats" / "microscope.png")
    (warning,) = read(labelled).warnings
    assert warning.startswith("1 images of 16 bits have no value above 4095, such as cats/microscope.png: ")


def test_labels_of_the_same_images_are_doubted(labelled: Path) -> None:
    (labelled / "katzen").symlink_to("cats")
    number = len(list((labelled / "cats").iterdir()))
    [warning] = read(labelled).warnings
    assert warning.startswith(f"{number} images are under another label too, such as cats/")
    assert " and katzen/" in warning


def test_a_file_too_long_to_be_an_image_is_not_read(labelled: Path) -> None:
    with (labelled / "cats" / "huge.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert [one.file for one in read(labelled, skip_bad=True).skipped] == ["cats/huge.png"]


def test_a_folder_without_an_image_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "1.mp4").touch()
    (tmp_path / "2.mp4").touch()
    with pytest.raises(FolderError, match=r"there is no image in it \(.*\), but 2 \.mp4$"):
        read(tmp_path)
