"""Fields as people have them become tiles or whole fields in two splits, or a message that says what to do."""

import sys
from pathlib import Path

import numpy as np
import pytest

from fm.codecs import Standardised
from fm.conditions import Labels, Unconditional
from fm.data.coded import CodedSplits
from fm.data.field_files import is_test
from fm.data.field_reading import opened
from fm.data.folder_contents import FolderError
from fm.data.prepared import Prepared
from fm.data.sources import Dataset, FieldFiles, Request
from fm.data.writing import write
from fm.errors import UserError


def load(folder: Path, skip_bad: bool = False, test_fraction: float = 0.2, **options: object) -> CodedSplits:
    asked = Request(Path(), folder, size=0, channels=0, test_fraction=test_fraction, skip_bad=skip_bad)
    return FieldFiles(**options).load(asked)


def both(splits: CodedSplits, name: str = "data") -> np.ndarray:
    return np.concatenate([splits.train.column(name), splits.test.column(name)])


def places(times: int, height: int, width: int) -> np.ndarray:
    """Whose values say where they are: time, row, column in one number, (times, H, W)."""
    time, row, column = np.indices((times, height, width))
    return (time * 10_000 + row * 100 + column).astype(np.float32)


@pytest.fixture
def sea(tmp_path: Path) -> Path:
    """Twenty times of two variables."""
    (tmp_path / "sea").mkdir()
    values = places(20, 24, 32)
    np.savez(tmp_path / "sea" / "a.npz", height=values, wind=-values)
    return tmp_path / "sea"


def test_whole_fields_are_split_by_time(sea: Path, tmp_path: Path) -> None:
    splits = load(sea, variables=("wind", "height"), units=("m/s", "m"))
    assert splits.train.stored == (2, 24, 32)
    assert splits.train.column("time").tolist() == list(range(16))
    assert splits.test.column("time").tolist() == [16, 17, 18, 19]
    np.testing.assert_array_equal(splits.test.data[0, 1], places(20, 24, 32)[16])
    np.testing.assert_array_equal(splits.test.data[0, 0], -places(20, 24, 32)[16])
    assert isinstance(splits.codec, Standardised)
    assert (splits.codec.variables, splits.codec.units) == (("wind", "height"), ("m/s", "m"))
    assert splits.conditioner == Unconditional()
    assert splits.origin == f"{sea}, split by time"
    write(tmp_path / "prepared", splits, "sea")
    assert Prepared.open(tmp_path / "prepared").codec.units == ("m/s", "m")


def test_times_between_the_splits_and_every_so_many(sea: Path) -> None:
    splits = load(sea, gap=5, every=2)
    assert splits.train.column("time").tolist() == [0, 2, 4, 6, 8, 10]
    assert splits.test.column("time").tolist() == [16, 18]


def test_time_goes_on_from_a_file_to_the_next(sea: Path) -> None:
    np.savez(sea / "b.npz", height=places(10, 24, 32), wind=places(10, 24, 32))
    splits = load(sea)
    assert set(splits.test_files) == {"b.npz"}
    assert splits.test.column("time").tolist() == list(range(4, 10))


def test_the_last_times_of_each_label_test(tmp_path: Path) -> None:
    for label in ("calm", "storm"):
        (tmp_path / label).mkdir()
        for number in range(2):
            np.savez(tmp_path / label / f"{number}.npz", height=places(5, 8, 8))
    splits = load(tmp_path)
    assert splits.train.column("label").tolist() == [0] * 8 + [1] * 8
    assert splits.test.column("label").tolist() == [0] * 2 + [1] * 2
    assert splits.test.column("time").tolist() == [3, 4, 3, 4]


def test_tiles_of_the_test_split_lie_elsewhere(sea: Path) -> None:
    splits = load(sea, tile=4, regions=4, every=10, step=1, test_fraction=0.25)
    assert splits.train.stored == (2, 4, 4)
    # A region has 6 x 8 points, and so 3 x 5 places for a tile.
    assert len(both(splits)) == 16 * 15 * 2
    assert len(splits.test) == 4 * 15 * 2
    seen = [set(rows.data[:, 0].astype(int).ravel() % 10_000) for rows in (splits.train, splits.test)]
    assert not seen[0] & seen[1], "no point is in both splits"
    assert len(seen[0] | seen[1]) == 24 * 32, "and none is in neither"
    for rows in (splits.train, splits.test):
        first = rows.data[:, 0, 0, 0]
        np.testing.assert_array_equal(
            first, rows.column("time") * 10_000 + rows.column("row") * 100 + rows.column("column")
        )


@pytest.mark.parametrize(("fraction", "every"), [(0.5, 2), (0.2, 5), (0.1, 10), (0.11, 9)])
def test_regions_that_test_are_one_of_so_many_in_each_row_and_column(fraction: float, every: int) -> None:
    plan = np.array([[is_test(row, column, fraction) for column in range(every)] for row in range(every)])
    assert set(plan.sum(axis=0)) == set(plan.sum(axis=1)) == {1}


def test_tiles_split_by_file_or_folder(tmp_path: Path) -> None:
    for number in range(20):
        np.save(tmp_path / f"{number}.npy", places(1, 16, 16)[0] + number)
    splits = load(tmp_path, tile=8, split="file")
    assert not set(splits.train_files) & set(splits.test_files)
    assert len(both(splits)) == 80
    for split in ("train", "test"):
        (tmp_path / "made" / split / "calm").mkdir(parents=True)
        np.save(tmp_path / "made" / split / "calm" / "a.npy", places(3, 16, 16)[:, np.newaxis])
    splits = load(tmp_path / "made", tile=8)
    assert splits.conditioner == Labels(("calm",))
    assert (len(splits.train), len(splits.test)) == (12, 12)
    assert splits.origin.endswith("split by the folders")


def with_gaps(folder: Path) -> np.ndarray:
    values = places(10, 16, 16)
    values[3:, :4, :4] = np.nan
    values[8] = np.nan
    np.save(folder / "a.npy", values[:, np.newaxis])
    return values


def test_values_that_are_not_there_are_refused_with_where(tmp_path: Path) -> None:
    with_gaps(tmp_path)
    with pytest.raises(FolderError) as failure:
        load(tmp_path)
    assert str(failure.value).splitlines()[:2] == [
        f"{tmp_path}: 1 of 1 files of fields cannot be used:",
        "  a.npy: 16 of 256 values are nan, the first in channel_0 at time 3, row 0, column 0; set the option nan to "
        "leave_out or fill",
    ]


def test_fields_without_all_values_are_left_out(tmp_path: Path) -> None:
    with_gaps(tmp_path)
    splits = load(tmp_path, nan="leave_out", tile=4, split="time")
    assert len(both(splits)) == 3 * 16 + 6 * 15
    assert splits.warnings == ("22 tiles or fields are left out: values are missing in them",)


def test_what_is_not_there_is_filled_and_said(tmp_path: Path) -> None:
    values = with_gaps(tmp_path)
    splits = load(tmp_path, nan="fill")
    assert len(both(splits)) == 9, "nothing is there at time 8"
    there = both(splits, "there").astype(bool)
    assert there.sum() == np.isfinite(values).sum()
    np.testing.assert_array_equal(both(splits)[there], values[np.isfinite(values)])
    known = splits.train.data[splits.train.column("there").astype(bool)]
    mean = known.mean(dtype=np.float64)
    np.testing.assert_allclose(both(splits)[~there], mean, rtol=1e-5)
    np.testing.assert_allclose(splits.codec.mean[0], mean, rtol=1e-5)


def test_infinite_values_are_refused_always(tmp_path: Path) -> None:
    values = places(2, 8, 8)
    values[1, 2, 3] = np.inf
    np.save(tmp_path / "a.npy", values[:, np.newaxis])
    for nan in ("fill", "refuse"):
        with pytest.raises(FolderError) as failure:
            load(tmp_path, nan=nan)
        assert str(failure.value).splitlines()[1] == (
            "  a.npy: 1 of 64 values are infinite or beyond what float32 can hold, the first in channel_0 at time 1, "
            "row 2, column 3"
        )


def test_a_variable_of_which_nothing_is_there_to_train_with(tmp_path: Path) -> None:
    values = np.stack([places(10, 8, 8), places(10, 8, 8)], axis=1)
    values[:8, 1] = np.nan
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(FolderError, match="no training data have a value of heat, so there is no mean to fill it with"):
        load(tmp_path, nan="fill", variables=("rain", "heat"))


@pytest.mark.parametrize(
    ("second", "options", "message"),
    [
        (
            {"height": places(2, 8, 8)},
            {},
            r"variables are height, wind in a.npz and height in b.npz: say",
        ),
        (
            {"height": places(2, 8, 8)},
            {"variables": ("height",)},
            r"size are 24, 32 in a.npz and 8, 8 in b.npz: set",
        ),
        ({"height": places(2, 8, 8)}, {"variables": ("heat",)}, r"b.npz: there is no variable heat"),
        (
            {"height": places(2, 8, 8), "wind": places(3, 8, 8)},
            {},
            r"b.npz: its variables are not all on",
        ),
        (
            {"height": np.zeros((2, 8, 8), "M8[s]"), "wind": places(2, 8, 8)},
            {"variables": ("height", "wind")},
            "height has",
        ),
    ],
)
def test_files_that_do_not_go_together(sea: Path, second: dict, options: dict, message: str) -> None:
    np.savez(sea / "b.npz", **second)
    with pytest.raises(FolderError, match=message):
        load(sea, **options)


def test_a_variable_that_is_the_same_at_all_times(sea: Path) -> None:
    np.savez(sea / "a.npz", height=places(20, 24, 32), land=np.ones((24, 32)))
    assert load(sea).train.stored == (2, 24, 32)


def test_tiles_that_do_not_fit(sea: Path) -> None:
    with pytest.raises(FolderError, match="each of 6x6 regions of 24x32 points is 4x5, and a tile 8x8: fewer regions"):
        load(sea, tile=8)
    with pytest.raises(FolderError, match=r"none of its files of fields can be used: a.npz: smaller than tiles"):
        load(sea, tile=64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "region"}, "split = region: must be file or time where fields are whole"),
        ({"step": 4}, "step = 4: must be null where fields are whole"),
        ({"variables": ["u", "v", "u"]}, "variables = .*: u must be there once"),
        ({"units": ["m"]}, "units has 1 entries: must have one for each of variables"),
    ],
)
def test_options_that_make_no_sense(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dataset.of({"name": "field-files", **options})


def test_a_velocity_is_two_variables_on_squares(sea: Path) -> None:
    with pytest.raises(FolderError, match=r"velocity is set, and there are 1 variables, wind: name two"):
        load(sea, velocity=True, variables=("wind",))
    with pytest.raises(FolderError, match="velocity is set, and fields are 24 x 32 points"):
        load(sea, velocity=True)
    assert load(sea, velocity=True, tile=4).train.stored == (2, 4, 4)
    assert FieldFiles(periodic=True).measures == {"name": "fields", "periodic": True, "velocity": False}


def test_without_xarray_its_files_are_refused_with_what_to_do(sea: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sea / "b.nc").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(UserError, match=r"NetCDF and Zarr .* are read by xarray, which is not installed: pip install"):
        load(sea)


def save(path: Path, ascending: bool = True) -> np.ndarray:
    """As models of the weather do: latitudes from the south, a variable for bounds, times in days."""
    xarray = pytest.importorskip("xarray")
    latitude = np.linspace(-45, 45, 24) if ascending else np.linspace(45, -45, 24)
    values = places(10, 24, 32)
    content = xarray.Dataset(
        {
            "t2m": (("time", "lat", "lon"), values, {"units": "K"}),
            "land": (("lat", "lon"), np.ones((24, 32), np.int16), {"units": "1"}),
            "name": (("time",), [f"day {number}" for number in range(10)]),
        },
        {
            "lat": ("lat", latitude, {"units": "degrees_north"}),
            "lon": ("lon", np.arange(32) * 2.5, {"units": "degrees_east"}),
            "time": ("time", np.arange(10), {"units": "days since 2000-01-01", "calendar": "360_day"}),
        },
    )
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".zarr":
        pytest.importorskip("zarr")
        content.to_zarr(path)
    else:
        content.to_netcdf(path, engine="scipy")
    return values


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_netcdf_and_zarr_with_units_and_north_up(tmp_path: Path, suffix: str) -> None:
    values = save(tmp_path / "files" / f"a.{suffix}")
    splits = load(tmp_path / "files")
    assert splits.train.stored == (2, 24, 32)
    assert splits.codec.variables == ("land", "t2m")
    assert splits.codec.units == ("1", "K")
    assert splits.codec.spacing == (pytest.approx(-90 / 23, rel=1e-5), 2.5)
    assert splits.codec.spacing_units == ("degrees_north", "degrees_east")
    np.testing.assert_array_equal(splits.train.data[3, 1], values[3, ::-1])
    tiles = load(tmp_path / "files", tile=4, regions=3)
    north = np.argmax(tiles.train.column("y"))
    assert tiles.train.column("row")[north] == 0
    assert tiles.train.column("y")[north] == pytest.approx(45 - 1.5 * 90 / 23)
    assert (tiles.train.column("x") == 2.5 * (tiles.train.column("column") + 1.5)).all()
    save(tmp_path / "other" / f"a.{suffix}", ascending=False)
    np.testing.assert_array_equal(load(tmp_path / "other").train.data[3, 1], values[3])


def test_points_that_lie_farther_apart_in_some_files_are_doubted(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    for name, step in (("a", 0.25), ("b", 0.25 + 1e-6), ("c", 1.0)):
        at = {"y": np.arange(8) * step, "x": np.arange(8) * step}
        field = (("time", "y", "x"), places(5, 8, 8))
        xarray.Dataset({"t": field}, at).to_netcdf(tmp_path / f"{name}.nc", engine="scipy")
    said = load(tmp_path).warnings
    assert len(said) == 1
    assert said[0].startswith("the points of c.nc lie 1.0, 1.0 apart and those of a.nc 0.25, 0.25: what is learnt")
    (tmp_path / "c.nc").unlink()
    assert not load(tmp_path).warnings


def test_netcdf_of_unlike_units(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    for name, unit in (("a", "K"), ("b", "degC")):
        field = (("y", "x"), np.ones((8, 8)), {"units": unit})
        xarray.Dataset({"t": field}).to_netcdf(tmp_path / f"{name}.nc", engine="scipy")
    with pytest.raises(FolderError, match=r"units are K in a.nc and degC in b.nc: convert one of them"):
        load(tmp_path)


def test_values_that_netcdf_says_are_missing_are_not_there(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    values = np.ones((8, 8))
    values[2, 3] = np.nan
    content = xarray.Dataset({"t": (("y", "x"), values)})
    content.to_netcdf(tmp_path / "a.nc", engine="scipy", encoding={"t": {"_FillValue": -999.0}})
    with opened(tmp_path / "a.nc", ()) as file:
        assert np.argwhere(np.isnan(file.read(0)[0])).tolist() == [[2, 3]]


def test_files_that_are_damaged(tmp_path: Path, sea: Path) -> None:
    pytest.importorskip("xarray")
    (sea / "b.nc").write_bytes(b"CDF\x01 and no more")
    (sea / "c.npz").write_bytes(b"PK")
    (sea / "d.nc").write_text("wind")
    with pytest.raises(FolderError, match="3 of 4 files of fields cannot be used"):
        load(sea)
    skipped = load(sea, skip_bad=True).skipped
    assert [one.file for one in skipped] == ["b.nc", "c.npz", "d.nc"]
    assert skipped[2].reason.startswith("no NetCDF that xarray can read: damaged, or of a kind that ")
    assert not [one for one in skipped if str(sea) in one.reason], "where they lie is no part of the record"
