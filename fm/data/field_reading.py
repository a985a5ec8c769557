"""Fields out of NumPy's files, NetCDF and Zarr: their variables, units and places, and one time after the other.

NetCDF and Zarr are read by xarray, which is optional. A field's last two axes are its rows and columns, whatever they
are called; those before them are its times. Where rows are latitudes, north is up, whichever way the file has it.

Source: https://docs.xarray.dev/en/stable/user-guide/io.html, https://cfconventions.org
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm.data.decoding import BadImage
from fm.data.folder_contents import STORE
from fm.data.own_data import damaged_otherwise
from fm.errors import UserError

NUMPY = (".npy", ".npz")
NETCDF = (".nc", ".nc4", ".cdf")
BY_XARRAY = (*NETCDF, STORE)
NORTH = ("degrees_north", "degree_north", "degrees_n", "degree_n", "degreesn", "degreen")
LATITUDES = ("lat", "latitude")


@dataclass(frozen=True)
class Axis:
    """Where the rows or the columns of a field lie.

    Attributes:
        places: of each, as the file's coordinates say; none where it says nothing.
        unit: of them.

    >>> Axis(np.array([10.0, 7.5, 5.0]), "degrees_north").spacing
    -2.5
    """

    places: NDArray[np.float64] | None = None
    unit: str = ""

    @property
    def spacing(self) -> float | None:
        """From one to the next, in the middle case."""
        return None if self.places is None or len(self.places) < 2 else float(np.median(np.diff(self.places)))


class FieldFile(ABC):
    """A file of fields, of which the values are not read yet.

    Attributes:
        variables, units: of each channel; no units where the file says none.
        times: lengths of the axes before rows and columns.
        size: rows and columns.
        rows, columns: where they lie.

    >>> OfNumpy({"height": np.zeros((3, 4, 6))}, (3,)).size
    (4, 6)
    """

    variables: tuple[str, ...]
    units: tuple[str, ...]
    times: tuple[int, ...]
    size: tuple[int, int]
    rows: Axis
    columns: Axis

    @property
    def count(self) -> int:
        """Of fields: one for each time."""
        return int(np.prod(self.times, dtype=np.int64))

    @abstractmethod
    def read(self, number: int) -> NDArray[np.float32]:
        """One of them, (C, H, W)."""


class OfNumpy(FieldFile):
    """Arrays (*times, H, W) by their variables, or (H, W) where a variable is the same at all times.

    >>> file = OfNumpy({"height": np.zeros((3, 4, 6)), "land": np.ones((4, 6))}, (3,))
    >>> file.read(2).shape
    (2, 4, 6)
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], times: tuple[int, ...]) -> None:
        self.arrays, self.times = arrays, times
        self.variables, self.units = tuple(arrays), ()
        height, width = next(iter(arrays.values())).shape[-2:]
        self.size = height, width
        self.rows = self.columns = Axis()

    def read(self, number: int) -> NDArray[np.float32]:
        place = np.unravel_index(number, self.times) if self.times else ()
        return np.stack([one[place if one.ndim > 2 else ()].astype(np.float32) for one in self.arrays.values()])


class OfXarray(FieldFile):
    """Variables of an xarray.Dataset, (*times, H, W) or (H, W).

    >>> issubclass(OfXarray, FieldFile)
    True
    """

    def __init__(self, content: Any, names: Sequence[str], times: tuple[int, ...]) -> None:
        arrays = [content[name] for name in names]
        self.arrays, self.times = arrays, times
        self.variables = tuple(names)
        units = tuple(str(one.attrs.get("units", "")) for one in arrays)
        self.units = units if any(units) else ()
        height, width = arrays[0].shape[-2:]
        self.size = height, width
        rows, self.columns = (axis_of(content, name) for name in arrays[0].dims[-2:])
        is_latitude = rows.unit.lower() in NORTH or str(arrays[0].dims[-2]).lower() in LATITUDES
        self.upside_down = is_latitude and (rows.spacing or 0) > 0
        self.rows = Axis(rows.places[::-1], rows.unit) if self.upside_down and rows.places is not None else rows

    def read(self, number: int) -> NDArray[np.float32]:
        place = np.unravel_index(number, self.times) if self.times else ()
        read = np.stack([np.asarray(one[place if one.ndim > 2 else ()].values, np.float32) for one in self.arrays])
        return np.ascontiguousarray(read[:, ::-1]) if self.upside_down else read


def axis_of(content: Any, name: str) -> Axis:
    if name not in content.coords or content[name].dtype.kind not in "iuf":
        return Axis()
    return Axis(np.asarray(content[name].values, np.float64), str(content[name].attrs.get("units", "")))


@contextmanager
def opened(path: Path, wanted: Sequence[str]) -> Iterator[FieldFile]:
    """A file of fields while it is open.

    Args:
        wanted: variables; none for all that it has, by their names.

    Raises:
        BadImage: damaged, without these variables, or with others than fields of one size.
        OSError: it cannot be read.
    """
    with damaged_otherwise(path):
        if path.name.lower().endswith(BY_XARRAY):
            with dataset_of(path) as content:
                there = {
                    str(name): (tuple(map(str, one.dims)), one.shape, one.dtype)
                    for name, one in content.data_vars.items()
                }
                yield OfXarray(content, *chosen(there, wanted))
        else:
            yield of_numpy(path, wanted)


def dataset_of(path: Path) -> Any:
    """An xarray.Dataset. Raises BadImage: none of its readers takes the file for one of its own."""
    xarray = by_xarray()
    if path.name.lower().endswith(STORE):
        return xarray.open_zarr(path, **PLAIN, chunks=None)
    try:
        return xarray.open_dataset(path, **PLAIN)
    except ValueError as error:
        if "did not find a match" not in str(error):
            raise
        readers = ", ".join(sorted(xarray.backends.list_engines()))
        raise BadImage(f"no NetCDF that xarray can read: damaged, or of a kind that {readers} do not read") from None


PLAIN = {"decode_times": False}
"""Times are counted and not read: calendars differ."""


def of_numpy(path: Path, wanted: Sequence[str]) -> FieldFile:
    """Of an array (H, W), (C, H, W) or (times, C, H, W), whose variables are called as is wanted; or of arrays by the
    names of their variables, each (H, W) or (times, H, W)."""
    content = np.load(path, allow_pickle=False, mmap_mode="r")
    if not isinstance(content, np.ndarray):
        with content:
            arrays = {name: content[name] for name in wanted or content.files if name in content.files}
            there = {name: (shape_names(one), one.shape, one.dtype) for name, one in arrays.items()}
        names, times = chosen(there, wanted)
        return OfNumpy({name: arrays[name] for name in names}, times)
    if content.ndim not in (2, 3, 4) or 0 in content.shape:
        raise BadImage(f"an array {content.shape}: must be (H, W), (C, H, W) or (times, C, H, W)")
    require_numbers("it", content.dtype)
    values = content[np.newaxis] if content.ndim == 2 else content
    channels = values.shape[-3]
    names = tuple(wanted) or tuple(f"channel_{number}" for number in range(channels))
    if len(names) != channels:
        raise BadImage(f"an array {content.shape} of {channels} channels, and {len(names)} variables are named")
    by_name = {name: values[..., number, :, :] for number, name in enumerate(names)}
    return OfNumpy(by_name, values.shape[:-3])


def shape_names(array: NDArray[Any]) -> tuple[str, ...]:
    return tuple(f"axis_{number}" for number in range(-array.ndim, 0))


There = Mapping[str, tuple[tuple[str, ...], tuple[int, ...], np.dtype[Any]]]
"""Names of axes, shape and type of each variable."""


def chosen(there: There, wanted: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The variables that are wanted, or all by their names, and the lengths of their axes of time.

    Raises:
        BadImage: one is not there, they are no fields of one size, or there is none.
    """
    listed = ", ".join(f"{name} ({', '.join(axes)})" for name, (axes, _, _) in there.items()) or "none"
    if missing := [name for name in wanted if name not in there]:
        raise BadImage(f"there is no variable {missing[0]}: there are {listed}")
    fields = sorted(name for name, (axes, _, kind) in there.items() if len(axes) > 1 and kind.kind in "iuf")
    names = tuple(wanted or fields)
    if not names:
        raise BadImage(f"there is no variable with rows and columns: there are {listed}")
    for name in names:
        require_numbers(name, there[name][2])
    shapes = [there[name][1] for name in names]
    times = max((shape[:-2] for shape in shapes), key=len)
    if any(len(shape) < 2 or 0 in shape or shape[:-2] not in ((), times) for shape in shapes) or (
        len({there[name][0][-2:] for name in names}) > 1 or len({shape[-2:] for shape in shapes}) > 1
    ):
        raise BadImage(f"its variables are not all on the same rows, columns and times: {listed}; say which are wanted")
    return names, times


def require_numbers(name: str, kind: np.dtype[Any]) -> None:
    if kind.kind not in "biuf":
        raise BadImage(f"{name} has values of type {kind}: must be real numbers")


def by_xarray() -> Any:
    """Raises UserError: it is not installed."""
    try:
        import xarray
    except ImportError:
        raise UserError(
            f"NetCDF and Zarr ({', '.join(BY_XARRAY)}) are read by xarray, which is not installed: pip install xarray "
            "netCDF4 zarr, or the extra `fields`; or save the fields as .npz"
        ) from None
    return xarray
