"""The prepared dataset is what was written, or it can't be opened."""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fm.codecs import Codec, Pixels, Standardised
from fm.conditions import Conditioner, Labels, Unconditional
from fm.data.captions import of_lines
from fm.data.digits import load as load_digits
from fm.data.prepared import Prepared, PreparedError
from fm.data.rows import Arrays
from fm.data.splits import Splits
from fm.data.writing import write, write_fields

ARRAYS = ("train_data", "train_label", "test_data", "test_label")
FORMATS = Path(__file__).parent


CAPTIONS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1, max_size=8)


@st.composite
def any_splits(draw: st.DrawFn) -> Splits:
    names = draw(st.lists(st.text(max_size=8), min_size=1, max_size=5, unique=True))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)))
    counts = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    images = [draw(arrays(np.uint8, (count, *shape))) for count in counts]
    labels = [draw(arrays(np.int64, count, elements=st.integers(0, len(names) - 1))) for count in counts]
    captions = [st.lists(st.lists(CAPTIONS, max_size=3).map(tuple), min_size=n, max_size=n).map(tuple) for n in counts]
    texts = draw(st.tuples(*captions) | st.just(((), ())))
    return Splits(images[0], labels[0], images[1], labels[1], tuple(names), train_texts=texts[0], test_texts=texts[1])


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
        assert (prepared.conditioner, prepared.stored) == (Labels(splits.label_names), splits.train_images.shape[1:])
        assert prepared.codec.stored == prepared.stored
        assert (len(prepared.train), len(prepared.test)) == (len(splits.train_labels), len(splits.test_labels))
        np.testing.assert_array_equal(prepared.train.data, splits.train_images)
        np.testing.assert_array_equal(prepared.train.fields["label"], splits.train_labels)
        np.testing.assert_array_equal(prepared.test.data, splits.test_images)
        np.testing.assert_array_equal(prepared.test.fields["label"], splits.test_labels)
        for rows, texts in ((prepared.train, splits.train_texts), (prepared.test, splits.test_texts)):
            found = rows[np.arange(len(rows))]
            assert ("text" in found) == bool(texts)
            assert tuple(map(of_lines, found.get("text", ()))) == texts


def test_texts_of_fixed_width_as_earlier_versions_wrote_them(tmp_path: Path) -> None:
    images, labels = np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int64)
    rows = Arrays({"data": images, "label": labels, "text": np.array(["a red shoe", ""])})
    write_fields(tmp_path, "shoes", rows, rows, Pixels((4, 4, 1)), Labels())
    found = Prepared.open(tmp_path)
    found.verify()
    assert [of_lines(text) for text in found.train[np.array([1, 0])]["text"]] == [(), ("a red shoe",)]


CAPTION = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


@pytest.mark.parametrize(
    ("data", "fields", "codec", "conditioner"),
    [
        (np.arange(12, dtype=np.float32).reshape(4, 3), {}, Standardised((3,)), Unconditional()),
        (np.arange(4 * 30, dtype=np.uint8).reshape(4, 2, 3, 5, 1), {}, Pixels((2, 3, 5, 1)), Unconditional()),
        (
            np.arange(4 * 30, dtype=np.float32).reshape(4, 2, 15),
            {"label": np.array([2, 0, 1, 1]), "other": CAPTION},
            Standardised((2, 15), mean=(1.0, 2.0)),
            Labels(("a", "b", "c")),
        ),
    ],
)
def test_any_shape_and_any_fields_are_written(
    tmp_path: Path, data: np.ndarray, fields: dict[str, np.ndarray], codec: Codec, conditioner: Conditioner
) -> None:
    rows = Arrays({"data": data, **fields})
    write_fields(tmp_path, "any", rows, rows, codec, conditioner)
    prepared = Prepared.open(tmp_path)
    prepared.verify()
    assert prepared.conditioner == conditioner
    scale = prepared.codec.scale
    assert prepared.codec == replace(codec, scale=scale)
    assert scale == pytest.approx(float(codec.encode(data).std(correction=0)), rel=1e-5)
    some = prepared.test[np.array([3, 1])]
    assert set(some) == {"data", *fields}
    for name, array in {"data": data, **fields}.items():
        np.testing.assert_array_equal(some[name], array[[3, 1]])


@pytest.mark.parametrize("number", [1, 2])
def test_a_folder_of_each_format_is_read(number: int) -> None:
    prepared = Prepared.open(FORMATS / f"format_{number}")
    prepared.verify()
    assert (prepared.name, prepared.stored, prepared.label_names) == ("tiny", (3, 3, 1), ("cat", "dog"))
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 3, 1), dtype=np.uint8)
    np.testing.assert_array_equal(prepared.train.data, images[:4])
    np.testing.assert_array_equal(prepared.test.data, images[4:])
    assert prepared.train.fields["label"].tolist() == [0, 1, 1, 0]
    assert prepared.test.fields["label"].tolist() == [1, 0]
    assert prepared.conditioner == Labels(("cat", "dog"))
    # What was prepared before scales were measured was modelled as if it were 0.5.
    assert prepared.codec == Pixels((3, 3, 1), scale={1: 0.5, 2: 0.637261}[number])


def test_a_folder_of_this_format_is_still_written_so(tmp_path: Path) -> None:
    old = Prepared.open(FORMATS / "format_1")
    train, test = old.train, old.test
    write(tmp_path, Splits(train.data, train.fields["label"], test.data, test.fields["label"], old.label_names), "tiny")
    assert contents(tmp_path) == contents(FORMATS / "format_2")


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
        "train_data.npy": "96a45c7b6470d05b0ce9dc04d15ce0221ebf50906441a62b4beccf77a5260088",
        "train_label.npy": "fb54f98980a03a837704184cb09e8735927867cc5cacc997b1a3cb168eca9f36",
        "test_data.npy": "694fd53265c27ba5f379dc5f527b3c6a55f52fa7dc0b814b51a44fc71e501597",
        "test_label.npy": "2dca0520031834329abfd66224771e8398defb8e09a59d16641eccf98715683e",
    }


def test_there_are_few_files(digits: Path) -> None:
    assert sorted(contents(digits)) == sorted(["manifest.json", *(f"{array}.npy" for array in ARRAYS)])


def test_the_manifest_says_what_there_is(digits: Path) -> None:
    manifest = json.loads((digits / "manifest.json").read_text())
    assert manifest["name"] == "digits"
    assert manifest["codec"] == {"name": "pixels", "stored": [8, 8, 1], "scale": 0.751725}
    assert manifest["conditioner"] == {"name": "labels", "names": list("0123456789")}
    assert manifest["fields"]["data"] == {"shape": [8, 8, 1], "dtype": "uint8"}
    assert manifest["splits"]["train"]["count"] == 1500
    assert sum(manifest["splits"]["test"]["by_label"].values()) == 297


def test_images_are_mapped_and_read_only(digits: Path) -> None:
    images = Prepared.open(digits).train.data
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_torch_is_not_needed() -> None:
    code = "import sys, fm.data.prepared, fm.data.sources; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


IMAGES, LABELS = np.zeros((2, 4, 5, 1), np.uint8), np.zeros(2, np.int64)


@pytest.mark.parametrize(
    ("train", "test", "codec", "conditioner", "message"),
    [
        ({}, {"data": IMAGES[:, :3]}, Pixels((4, 5, 1)), Unconditional(), "they must be alike"),
        ({}, {}, Pixels((5, 4, 1)), Unconditional(), r"each datum must be \(5, 4, 1\), not \(4, 5, 1\)"),
        ({}, {}, Standardised((4, 5, 1)), Unconditional(), "data are uint8, and the codec stores float32"),
        ({}, {}, Pixels((4, 5, 1)), Labels(("a",)), "the conditioner reads label, which the data have not"),
        ({"label": LABELS + 1}, {"label": LABELS}, Pixels((4, 5, 1)), Labels(("a",)), "labels go from 1 to 1"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path,
    train: dict[str, np.ndarray],
    test: dict[str, np.ndarray],
    codec: Codec,
    conditioner: Conditioner,
    message: str,
) -> None:
    data = {"data": IMAGES}
    with pytest.raises(ValueError, match=message):
        write_fields(tmp_path / "prepared", "odd", Arrays(data | train), Arrays(data | test), codec, conditioner)
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
    with (digits / "test_data.npy").open("ab") as file:
        file.write(b"more")
    with pytest.raises(PreparedError, match=r"test_data\.npy is longer than it should be"):
        Prepared.open(digits)


def test_files_of_another_dataset_are_noticed(digits: Path, tmp_path: Path) -> None:
    splits = load_digits()
    fewer = Splits(
        splits.train_images[:100], splits.train_labels[:100], splits.test_images, splits.test_labels, splits.label_names
    )
    write(tmp_path / "fewer", fewer, "digits")
    for array in ("train_data", "train_label"):
        shutil.copy(tmp_path / "fewer" / f"{array}.npy", digits)
    with pytest.raises(PreparedError, match=r"its arrays are not what manifest\.json says under 'splits'"):
        Prepared.open(digits)


def test_a_changed_pixel_is_noticed_by_verify(digits: Path) -> None:
    path = digits / "train_data.npy"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    prepared = Prepared.open(digits)
    with pytest.raises(PreparedError, match=r"train_data\.npy has changed"):
        prepared.verify()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 4}, "newer version"),
        ({"format": "one"}, "not the manifest"),
        ({"conditioner": {"name": "labels", "names": ["only one"]}}, "damaged"),
        ({"conditioner": None}, "damaged"),
        ({"codec": {"name": "pixels", "stored": [28, 28, 1]}}, r"data are \[8, 8, 1\], and the codec stores"),
        ({"codec": "pixels"}, "damaged"),
        ({"fields": {"data": {"shape": [8, 8, 1], "dtype": "uint8"}}}, "damaged"),
        ({"sha256": 5}, "damaged"),
    ],
)
def test_a_wrong_manifest_is_noticed(digits: Path, change: dict[str, object], message: str) -> None:
    path = digits / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(PreparedError, match=message):
        Prepared.open(digits)


def test_pickled_objects_are_not_loaded(digits: Path) -> None:
    np.save(digits / "test_label.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(PreparedError, match="damaged"):
        Prepared.open(digits)
