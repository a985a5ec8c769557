"""Samples become files that the tools of their kind read, with units and spacing."""

import gzip
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fm.codecs import Bounded, Codec, Pixels, Standardised
from fm.data.volume_reading import read_volumes
from fm.errors import UserError
from fm.sample_files import files_of

FIELDS = Standardised(
    (2, 4, 6), variables=("u", "v"), units=("m/s", "K"), spacing=(-0.5, 0.25), spacing_units=("°N", "°E")
)
VIDEOS = Pixels((5, 8, 8, 3), spacing=(0.04, 1, 1), spacing_units=("s", "pixel", "pixel"))
VOLUMES = Bounded((1, 3, 4, 5), low=-1000, high=400, whole=True, spacing=(3.0, 2.0, 1.5), spacing_units=("mm",) * 3)
RANDOM = np.random.default_rng(0)


def samples(codec: Codec, count: int = 3) -> np.ndarray:
    values = RANDOM.integers(0, 256, (count, *codec.stored))
    return values.astype(codec.dtype)


@pytest.mark.parametrize(("suffix", "milliseconds"), [("webp", 40), ("gif", 40)])
def test_videos_are_shown_as_long_as_their_data(suffix: str, milliseconds: int) -> None:
    made = samples(VIDEOS, 12)
    files = dict(files_of(made, VIDEOS, f"clips/a.{suffix}"))
    assert list(files) == [f"clips/a-{number:02}.{suffix}" for number in range(12)]
    with Image.open(io.BytesIO(files[f"clips/a-03.{suffix}"])) as image:
        assert image.n_frames == 5
        image.seek(2)
        image.load()
        assert image.info["duration"] == milliseconds
        if suffix == "webp":
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), made[3, 2])


def test_one_sample_has_the_name_itself() -> None:
    assert [name for name, _ in files_of(samples(VIDEOS, 1), VIDEOS, "a.WebP")] == ["a.WebP"]


def test_fields_have_their_units_and_places_in_netcdf() -> None:
    from scipy.io import netcdf_file

    made = samples(FIELDS)
    ((name, content),) = files_of(made, FIELDS, "wind.nc")
    assert name == "wind.nc"
    with netcdf_file(io.BytesIO(content), mmap=False) as file:
        np.testing.assert_array_equal(file.variables["v"][:], made[:, 1])
        assert file.variables["v"].dimensions == ("sample", "y", "x")
        assert (file.variables["u"].units, file.variables["v"].units) == (b"m/s", b"K")
        np.testing.assert_allclose(file.variables["y"][:], [0, -0.5, -1, -1.5])
        assert file.variables["x"].units.decode() == "°E"


def test_netcdf_is_read_by_xarray(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    made = samples(FIELDS)
    ((_, content),) = files_of(made, FIELDS, "wind.nc")
    (tmp_path / "wind.nc").write_bytes(content)
    with xarray.open_dataset(tmp_path / "wind.nc") as found:
        np.testing.assert_array_equal(found["u"], made[:, 0])
        assert found["u"].attrs["units"] == "m/s"


@pytest.mark.parametrize("names", [("x", "y"), ("sample", "u"), ("vent/été", "猫")])
def test_netcdf_of_variables_of_any_name(tmp_path: Path, names: tuple[str, str]) -> None:
    xarray = pytest.importorskip("xarray")
    made = samples(FIELDS)
    ((_, content),) = files_of(made, FIELDS.changed(variables=names), "wind.nc")
    (tmp_path / "wind.nc").write_bytes(content)
    with xarray.open_dataset(tmp_path / "wind.nc") as found:
        assert list(found.data_vars) == [name.replace("/", "_") for name in names]
        for channel, name in enumerate(found.data_vars):
            np.testing.assert_array_equal(found[name], made[:, channel])
        rows, columns = found[name].dims[1:]
        np.testing.assert_allclose(found[rows], [0, -0.5, -1, -1.5])
        assert found[columns].attrs["units"] == "°E"


def test_arrays_with_what_is_known() -> None:
    made = samples(FIELDS)
    ((_, content),) = files_of(made, FIELDS, "wind.npz")
    found = np.load(io.BytesIO(content))
    np.testing.assert_array_equal(found["data"], made)
    assert found["units"].tolist() == ["m/s", "K"]
    assert found["spacing"].tolist() == [-0.5, 0.25]
    ((_, alone),) = files_of(made, Standardised((2, 4, 6)), "wind.npy")
    np.testing.assert_array_equal(np.load(io.BytesIO(alone)), made)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_volumes_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("nibabel")
    made = VOLUMES.decode(VOLUMES.encode(samples(VOLUMES) - 700))
    files = dict(files_of(made, VOLUMES, f"scan.{suffix}"))
    assert list(files) == [f"scan-{number}.{suffix}" for number in range(3)]
    assert files == dict(files_of(made, VOLUMES, f"scan.{suffix}")), "the same bytes every time"
    (tmp_path / f"scan.{suffix}").write_bytes(files[f"scan-1.{suffix}"])
    found = read_volumes(tmp_path / f"scan.{suffix}")
    np.testing.assert_array_equal(found.values, made[1])
    assert found.spacing == (3, 2, 1.5)
    assert found.values.dtype == np.int16


def test_what_is_filled_is_saved_in_bytes(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    filled = Pixels((4, 4, 4, 1))
    made = samples(filled, 1)
    ((_, content),) = files_of(made, filled, "a.nii.gz")
    (tmp_path / "a.nii").write_bytes(gzip.decompress(content))
    np.testing.assert_array_equal(read_volumes(tmp_path / "a.nii").values[0], made[0, ..., 0])


@pytest.mark.parametrize(
    ("name", "codec", "message"),
    [
        ("a.mp4", VIDEOS, r"a.mp4: must end in one of .nii.gz, .nii, .webp, .gif, .npy, .npz, .nc"),
        ("a.webp", FIELDS, r".webp is for videos, and these samples are float32 \(2, 4, 6\)"),
        ("a.nii", VIDEOS, r".nii is for volumes, and these samples are uint8 \(5, 8, 8, 3\)"),
        ("a.nc", VIDEOS, r".nc is for fields and volumes, and these samples are uint8"),
    ],
)
def test_what_samples_cannot_be(name: str, codec: Codec, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(files_of(samples(codec), codec, name))


def test_without_nibabel_there_is_no_nifti(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(UserError, match=r"by nibabel, which is not installed: pip install nibabel, or the extra"):
        list(files_of(samples(VOLUMES), VOLUMES, "a.nii.gz"))
