"""The prepared dataset is what was written, or it can't be opened."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fm.data.digits import load as load_digits
from fm.data.prepared import ARRAYS, Prepared, PreparedError, write
from fm.data.splits import Splits


@st.composite
def any_splits(draw: st.DrawFn) -> Splits:
    names = draw(st.lists(st.text(max_size=8), min_size=1, max_size=5, unique=True))
    side, channels = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    counts = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    images = [draw(arrays(np.uint8, (count, side, side, channels))) for count in counts]
    labels = [draw(arrays(np.int64, count, elements=st.integers(0, len(names) - 1))) for count in counts]
    return Splits(images[0], labels[0], images[1], labels[1], tuple(names))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    write(tmp_path / "prepared", load_digits(), "digits")
    return tmp_path / "prepared"


@given(any_splits(), st.text(max_size=8))
def test_what_is_written_is_read(splits: Splits, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), splits, name)
        prepared = Prepared.open(Path(folder))
        prepared.verify()
        assert (prepared.name, prepared.label_names) == (name, splits.label_names)
        assert prepared.num_classes == len(splits.label_names)
        assert splits.train_images.shape[1:] == (prepared.image_size, prepared.image_size, prepared.channels)
        assert (len(prepared.train), len(prepared.test)) == (len(splits.train_labels), len(splits.test_labels))
        np.testing.assert_array_equal(prepared.train.images, splits.train_images)
        np.testing.assert_array_equal(prepared.train.labels, splits.train_labels)
        np.testing.assert_array_equal(prepared.test.images, splits.test_images)
        np.testing.assert_array_equal(prepared.test.labels, splits.test_labels)


def test_equal_data_makes_equal_bytes(digits: Path, tmp_path: Path) -> None:
    splits = load_digits()
    elsewhere = Splits(
        # other strides, same pixels; another origin, same data
        np.asfortranarray(splits.train_images),
        splits.train_labels,
        splits.test_images,
        splits.test_labels,
        splits.label_names,
        origin="somewhere else",
    )
    write(tmp_path / "again", elsewhere, "digits")
    assert contents(tmp_path / "again") == contents(digits)
    write(tmp_path / "again", elsewhere, "digits")
    assert contents(tmp_path / "again") == contents(digits)


def test_the_bytes_are_those_of_last_year(digits: Path) -> None:
    """A change here retrains every model there is: bump FORMAT and mean it."""
    assert json.loads((digits / "manifest.json").read_text())["sha256"] == {
        "train_images.npy": "96a45c7b6470d05b0ce9dc04d15ce0221ebf50906441a62b4beccf77a5260088",
        "train_labels.npy": "fb54f98980a03a837704184cb09e8735927867cc5cacc997b1a3cb168eca9f36",
        "test_images.npy": "694fd53265c27ba5f379dc5f527b3c6a55f52fa7dc0b814b51a44fc71e501597",
        "test_labels.npy": "2dca0520031834329abfd66224771e8398defb8e09a59d16641eccf98715683e",
    }


def test_there_are_few_files(digits: Path) -> None:
    assert sorted(contents(digits)) == sorted(["manifest.json", *(f"{array}.npy" for array in ARRAYS)])


def test_the_manifest_says_what_there_is(digits: Path) -> None:
    manifest = json.loads((digits / "manifest.json").read_text())
    assert manifest["name"] == "digits"
    assert (manifest["image_size"], manifest["channels"]) == (8, 1)
    assert manifest["splits"]["train"]["images"] == 1500
    assert sum(manifest["splits"]["test"]["by_label"].values()) == 297


def test_images_are_mapped_and_read_only(digits: Path) -> None:
    images = Prepared.open(digits).train.images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_torch_is_not_needed() -> None:
    code = "import sys, fm.data.prepared, fm.data.sources; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_oblong_images_are_refused(tmp_path: Path) -> None:
    images, labels = np.zeros((2, 4, 5, 1), np.uint8), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="images must be square, not 4x5"):
        write(tmp_path / "prepared", Splits(images, labels, images, labels, ("a",)), "oblong")
    assert not (tmp_path / "prepared").exists()


@pytest.mark.parametrize("name", ["manifest.json", *(f"{array}.npy" for array in ARRAYS)])
def test_a_missing_file_is_noticed(digits: Path, name: str) -> None:
    (digits / name).unlink()
    with pytest.raises(PreparedError, match=name):
        Prepared.open(digits)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(PreparedError, match="nowhere: there is no prepared dataset here"):
        Prepared.open(tmp_path / "nowhere")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["manifest.json", *(f"{array}.npy" for array in ARRAYS)]), st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_short_is_noticed(digits: Path, name: str, share: float) -> None:
    path = digits / name
    whole = path.read_bytes()
    # The manifest's last byte is a line feed, which JSON can do without.
    path.write_bytes(whole[: min(int(share * len(whole)), len(whole) - 2)])
    try:
        with pytest.raises(PreparedError, match="prepared"):
            Prepared.open(digits)
    finally:
        path.write_bytes(whole)


def test_a_file_that_is_too_long_is_noticed(digits: Path) -> None:
    with (digits / "test_images.npy").open("ab") as file:
        file.write(b"more")
    with pytest.raises(PreparedError, match=r"test_images\.npy is longer than it should be"):
        Prepared.open(digits)


def test_files_of_another_dataset_are_noticed(digits: Path, tmp_path: Path) -> None:
    splits = load_digits()
    fewer = Splits(
        splits.train_images[:100], splits.train_labels[:100], splits.test_images, splits.test_labels, splits.label_names
    )
    write(tmp_path / "fewer", fewer, "digits")
    for array in ("train_images", "train_labels"):
        shutil.copy(tmp_path / "fewer" / f"{array}.npy", digits)
    with pytest.raises(PreparedError, match=r"its arrays are not what manifest\.json says under 'splits'"):
        Prepared.open(digits)


def test_a_changed_pixel_is_noticed_by_verify(digits: Path) -> None:
    path = digits / "train_images.npy"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    prepared = Prepared.open(digits)
    with pytest.raises(PreparedError, match=r"train_images\.npy has changed"):
        prepared.verify()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "newer version"),
        ({"format": "one"}, "not the manifest"),
        ({"label_names": ["only one"]}, "damaged"),
        ({"label_names": None}, "damaged"),
        ({"image_size": 28}, "'image_size'"),
        ({"sha256": 5}, "damaged"),
    ],
)
def test_a_wrong_manifest_is_noticed(digits: Path, change: dict[str, object], message: str) -> None:
    path = digits / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(PreparedError, match=message):
        Prepared.open(digits)


def test_pickled_objects_are_not_loaded(digits: Path) -> None:
    np.save(digits / "test_labels.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(PreparedError, match="damaged"):
        Prepared.open(digits)
