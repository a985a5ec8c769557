"""A folder of volumes as people have it becomes two splits with spacing and range, or a message says what to do."""

import sys
from pathlib import Path

import numpy as np
import pytest

from fm.codecs import Bounded, Pixels
from fm.conditions import Labels
from fm.data.coded import CodedSplits
from fm.data.decoding import BadImage
from fm.data.folder_contents import FolderError
from fm.data.prepared import Prepared
from fm.data.sources import Dataset, Request, VolumeFolder
from fm.data.volume_reading import read_volumes
from fm.data.writing import write
from fm.errors import UserError
from fm.films import along_time


def load(folder: Path, skip_bad: bool = False, **options: object) -> CodedSplits:
    asked = Request(Path(), folder, size=0, channels=0, test_fraction=0.3, skip_bad=skip_bad)
    return VolumeFolder(**{"voxels": (4,), **options}).load(asked)


def both(splits: CodedSplits, name: str = "data") -> np.ndarray:
    return np.concatenate([splits.train.column(name), splits.test.column(name)])


def volume(number: int, kind: type = np.int16) -> np.ndarray:
    """Whose values say where they are, and whose it is."""
    return (np.indices((8, 8, 8)).transpose(1, 2, 3, 0) @ [100, 10, 1] + 1000 * number).astype(kind)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(10):
        path = tmp_path / "scans" / ("well", "ill")[number % 2] / f"{number}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, volume=volume(number), spacing=[3.0, 1.5, 0.5])
    return tmp_path / "scans"


def test_a_folder_of_volumes(folder: Path, tmp_path: Path) -> None:
    splits = load(folder)
    assert splits.train.stored == (1, 4, 4, 4)
    assert len(both(splits)) == 10
    assert len(splits.test) > 0
    assert splits.conditioner == Labels(("ill", "well"))
    np.testing.assert_allclose(both(splits, "spacing"), np.tile([6, 3, 1], (10, 1)))
    codec = splits.codec
    assert isinstance(codec, Bounded)
    assert (codec.low, codec.high) == (splits.train.data.min(), splits.train.data.max())
    assert codec.whole
    assert (codec.spacing, codec.spacing_units) == ((6, 3, 1), ("mm", "mm", "mm"))
    write(tmp_path / "prepared", splits, "scans")
    prepared = Prepared.open(tmp_path / "prepared")
    decoded = prepared.codec.decode(prepared.codec.encode(splits.train.data))
    np.testing.assert_array_equal(decoded, splits.train.data)


def test_each_voxel_is_the_mean_of_what_it_covers(folder: Path) -> None:
    first = next(one for one, file in rows(load(folder, window=(0, 777))) if file == "well/0.npz")
    inner = first[0, 1:3, 1:3, 1:3]
    np.testing.assert_allclose(inner, 2 * volume(0)[1:3, 1:3, 1:3] + 55.5, atol=0.51)
    assert first.max() <= 777


def rows(splits: CodedSplits) -> list[tuple[np.ndarray, str]]:
    return list(zip(both(splits), both(splits, "file"), strict=True))


def test_a_box_a_window_and_a_unit(folder: Path) -> None:
    splits = load(folder, voxels=(4, 6, 8), window=(-1000, 400), unit="HU")
    assert splits.train.stored == (1, 4, 6, 8)
    assert splits.codec.units == ("HU",)
    assert (splits.codec.low, splits.codec.high) == (-1000, 400)
    assert both(splits).max() == 400


def test_at_a_spacing_the_middle_is_there_and_nothing_around_it(folder: Path) -> None:
    splits = load(folder, voxels=(8,), spacing=3)
    np.testing.assert_allclose(both(splits, "spacing"), 3)
    first = next(one for one, file in rows(splits) if file == "well/0.npz")[0]
    assert (first[:, :, [0, 1, 2, 5, 6, 7]] == 0).all(), "across there are 4 mm"
    assert (first[:, 2:6, 3:5] > 0).all()


def test_voxels_are_one_number_or_three() -> None:
    for voxels, box in ((16, (16, 16, 16)), ([16], (16, 16, 16)), ([4, 8, 16], (4, 8, 16))):
        made = Dataset.of({"name": "volume-folder", "voxels": voxels})
        assert isinstance(made, VolumeFolder)
        assert made.box == box


def test_what_is_above_a_threshold_is_filled(folder: Path) -> None:
    splits = load(folder, threshold=400)
    assert splits.train.stored == (4, 4, 4, 1)
    assert splits.codec == Pixels((4, 4, 4, 1), spacing=(6, 3, 1), spacing_units=("mm",) * 3)
    first = next(one for one, file in rows(splits) if file == "well/0.npz")
    assert first[:2].max() == 0
    assert first[2:].min() == 255


def test_floats_of_unknown_spacing_and_many_volumes_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    many = np.random.default_rng(0).normal(size=(60, 4, 4, 4))
    np.save(tmp_path / "scans" / "many.npy", many)
    splits = load(tmp_path / "scans")
    assert 6 <= len(splits.test) <= 30
    assert len(both(splits)) == 60
    assert splits.codec.spacing == ()
    assert not splits.codec.whole
    more = np.concatenate([many[:1] + 1, many])
    np.save(tmp_path / "scans" / "many.npy", more)
    assert len(load(tmp_path / "scans").test) - len(splits.test) in (0, 1), "what tests goes on to do so"
    np.save(tmp_path / "scans" / "many.npy", many > 0)
    assert load(tmp_path / "scans", resample="nearest").codec.high == 1


def test_some_of_unknown_spacing_are_said_and_the_others_decide(folder: Path) -> None:
    np.savez(folder / "well" / "0.npz", volume=volume(0))
    splits = load(folder)
    assert np.isnan(both(splits, "spacing")).all(axis=1).sum() == 1
    assert splits.codec.spacing == (6, 3, 1)
    (said,) = [one for one in splits.warnings if "apart" in one]
    assert said.startswith("1 of 10 files do not say how far voxels lie apart, 'well/0.npz' is one")


def test_masks_of_unknown_spacing_are_no_videos(tmp_path: Path) -> None:
    for number in range(10):
        np.save(tmp_path / f"{number}.npy", volume(number))
    codec = load(tmp_path, threshold=4000).codec
    assert isinstance(codec, Pixels)
    assert (codec.spacing, codec.spacing_units) == ((), ("voxel",) * 3)
    assert not along_time(codec)


def test_a_range_that_few_values_need_is_doubted(folder: Path) -> None:
    assert not load(folder, voxels=(8,)).warnings
    spoilt = volume(3, np.float32)
    spoilt[4, 4, 4] = 1e9
    np.savez(folder / "ill" / "3.npz", volume=spoilt, spacing=[3.0, 1.5, 0.5])
    said = load(folder, voxels=(8,)).warnings
    assert len(said) == 1
    assert "the option window clips to it" in said[0]
    assert not load(folder, voxels=(8,), window=(0, 9000)).warnings


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"a": np.zeros((8, 8))}, r"an array \(8, 8\): must be \(D, H, W\), or \(n, D, H, W\)"),
        ({"a": np.zeros((8, 8, 8)), "b": np.zeros(3)}, "it has the arrays a, b: must have one, and perhaps spacing"),
        ({"a": np.full((8, 8, 8), np.nan)}, "512 of its 512 values are not finite"),
        ({"a": np.full((8, 8, 8), -1e300)}, r"its values reach -1e\+300, beyond what float32 can hold; write them in"),
        ({"a": np.zeros((8, 8, 8), complex)}, "its values are complex128: must be real numbers"),
        ({"a": np.zeros((8, 8, 8)), "spacing": [1, 1]}, r"spacing = \[1, 1\]: must be three distances above 0"),
        ({"a": np.zeros((8, 8, 8)), "spacing": ["a", "b", "c"]}, "spacing = .*: must be three distances above 0"),
        ({"a": np.array([[[None]]], object)}, "Object arrays cannot be loaded"),
    ],
)
def test_files_that_cannot_be_used_stop_it_or_are_skipped(folder: Path, arrays: dict, reason: str) -> None:
    np.savez(folder / "ill" / "bad.npz", **arrays)
    (folder / "ill" / "cut.npz").write_bytes((folder / "ill" / "1.npz").read_bytes()[:300])
    with pytest.raises(FolderError, match=rf"2 of 12 volumes cannot be used:\n  ill/bad.npz: {reason}"):
        load(folder)
    splits = load(folder, skip_bad=True)
    assert [one.file for one in splits.skipped] == ["ill/bad.npz", "ill/cut.npz"]


def test_without_a_spacing_there_is_none_to_be_brought_to(folder: Path) -> None:
    np.save(folder / "ill" / "a.npy", volume(0))
    with pytest.raises(FolderError, match=r"ill/a\.npy: nothing says how far its voxels lie apart"):
        load(folder, spacing=2)


def test_a_label_that_is_in_the_test_split_alone(tmp_path: Path) -> None:
    for name in ("train/ill", "test/ill", "test/well"):
        (tmp_path / name).mkdir(parents=True)
        np.save(tmp_path / name / "a.npy", volume(0))
    with pytest.raises(FolderError, match="no volumes of well are to train with, all are to test with"):
        load(tmp_path)


def test_a_threshold_or_window_that_leaves_one_value(folder: Path) -> None:
    for options, says in (
        ({"threshold": 1e6}, r"have the value 0 everywhere: the option threshold = 1e\+06 must lie among their values"),
        ({"window": (-20, -10)}, r"the value -10 everywhere: the option window = \[-20, -10\] must have some of their"),
    ):
        with pytest.raises(FolderError, match=says):
            load(folder, **options)


def test_volumes_that_are_one_value_everywhere(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", np.zeros((8, 8, 8)))
    with pytest.raises(FolderError, match="all training volumes have the value 0 everywhere"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voxels": [32, 32]}, "must be one number, or three along D, H and W"),
        ({"window": [0, 1], "threshold": 0.5}, "window and threshold: one of them must be null"),
        ({"window": [1, 0]}, "the lowest must be below the highest"),
    ],
)
def test_options_that_make_no_sense(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dataset.of({"name": "volume-folder", **options})


def test_without_nibabel_nifti_is_refused_with_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ill" / "a.nii.gz").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(UserError, match=r"NIfTI \(.nii, .nii.gz\) is read and written by nibabel.*: pip install"):
        load(folder)


def save_nifti(path: Path, values: np.ndarray, affine: np.ndarray, unit: str = "mm") -> None:
    nib = pytest.importorskip("nibabel")
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units(unit)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


def test_nifti_is_turned_as_its_affine_says(tmp_path: Path) -> None:
    """The same head, saved by two scanners in two ways, is the same volume."""
    head = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)  # right, front, up
    save_nifti(tmp_path / "ras.nii.gz", head, np.diag([1.0, 2.0, 3.0, 1.0]))
    turned = np.ascontiguousarray(head[::-1].transpose(2, 0, 1))  # up, left, front
    affine = np.array([[0, -1.0, 0, 0], [0, 0, 2.0, 0], [3.0, 0, 0, 0], [0, 0, 0, 1]])
    save_nifti(tmp_path / "other.nii", turned, affine)
    one, two = (read_volumes(tmp_path / name) for name in ("ras.nii.gz", "other.nii"))
    np.testing.assert_array_equal(one.values, two.values)
    assert one.spacing == two.spacing == (3, 2, 1)
    assert one.values.dtype == np.int16
    np.testing.assert_array_equal(one.values[0], head.transpose()[:, ::-1])
    save_nifti(tmp_path / "metres.nii", head, np.diag([0.001, 0.002, 0.003, 1.0]), "meter")
    assert read_volumes(tmp_path / "metres.nii").spacing == pytest.approx((3, 2, 1))


def test_a_folder_of_nifti(tmp_path: Path) -> None:
    for number in range(12):
        split = "test" if number % 4 == 0 else "train"
        values = np.random.default_rng(number).integers(-1000, 1000, (8, 10, 12)).astype(np.int16)
        save_nifti(tmp_path / split / f"{number}.nii.gz", values, np.diag([1.0, 1.0, 2.5, 1.0]))
    splits = load(tmp_path)
    assert (len(splits.train), len(splits.test)) == (9, 3)
    assert splits.codec.spacing == (7.5, 2.5, 2)
    assert splits.codec.whole


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (
            np.zeros((4, 4, 4, 5), np.int16),
            r"an image \(4, 4, 4, 5\): must have three axes; save each volume of a series",
        ),
        (np.zeros((4, 4), np.int16), "must have three axes"),
    ],
)
def test_nifti_of_other_axes(tmp_path: Path, values: np.ndarray, reason: str) -> None:
    save_nifti(tmp_path / "a.nii", values, np.eye(4))
    with pytest.raises(BadImage, match=reason):
        read_volumes(tmp_path / "a.nii")


def test_nifti_that_is_damaged(tmp_path: Path) -> None:
    save_nifti(tmp_path / "a.nii.gz", volume(1), np.eye(4))
    content = (tmp_path / "a.nii.gz").read_bytes()
    for broken in (content[:200], b"no volume", b""):
        (tmp_path / "a.nii.gz").write_bytes(broken)
        with pytest.raises(BadImage) as failure:
            read_volumes(tmp_path / "a.nii.gz")
        assert str(tmp_path) not in str(failure.value), "where it lies is no part of the record"
