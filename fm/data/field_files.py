"""Your own fields in files: whole or in tiles, with a test split that lies elsewhere or later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fm.components import Choice, option
from fm.data.coded import CodedSplits
from fm.data.collecting import some
from fm.data.dataset import CodedDataset, Request
from fm.data.decoding import BadImage
from fm.data.field_reading import BY_XARRAY, NUMPY, FieldFile, by_xarray, opened
from fm.data.folder_contents import FolderError
from fm.data.listing import File
from fm.data.own_data import Taken, Unfit, digest, put_together, taken_from
from fm.data.own_files import Found, own_files
from fm.data.rows import Arrays
from fm.data.splits import Skipped

if TYPE_CHECKING:
    from fm.codecs import Standardised

WHAT = "files of fields"
SHIFT = 0.4  # of the regions of a row by which the next row's are shifted, more or less
ROUNDING = 1e-3
"""Of distances between points, whose coordinates may be float32."""
Rule = Literal["file", "time", "region"]
Read = Taken | Unfit | Skipped


class Head(NamedTuple):
    """What must be alike in all files, and how many times there are.

    >>> Head(("u", "v"), ("m/s", "m/s"), (64, 64), (-0.25, 0.25), ("degrees_north", "degrees_east"), 12).times
    12
    """

    variables: tuple[str, ...]
    units: tuple[str, ...]
    size: tuple[int, int]
    spacing: tuple[float, ...]
    spacing_units: tuple[str, ...]
    times: int

    @classmethod
    def of(cls, file: FieldFile) -> Head:
        axes = file.rows, file.columns
        steps = [axis.spacing for axis in axes]
        known = tuple(float(f"{step:.6g}") for step in steps if step)
        spacing, units = (known, tuple(axis.unit for axis in axes)) if len(known) == len(axes) else ((), ())
        return cls(file.variables, file.units, file.size, spacing, units, file.count)


@dataclass
class Seen:
    """What is noted while files are read.

    Attributes:
        heads: by file.
        left_out: tiles without some or all values.

    >>> Seen().left_out
    0
    """

    heads: dict[str, Head] = field(default_factory=dict)
    left_out: int = 0


class FieldFiles(
    CodedDataset,
    name="field-files",
    says="one's own fields: NumPy, and NetCDF and Zarr by xarray; several variables, whole or in tiles",
):
    """float32 (C, H, W), a channel for each variable, in its unit. Beside each lie `file`, `time`, which of the file's
    it is, `row` and `column` of its first point, and `y` and `x`, where its middle lies in the file's own coordinates;
    with nan: fill also `there`, uint8 (C, H, W), 1 where the file has a value.

    What tests is the last times, or regions of the plane, or files by their content (fm.data.collecting).

    >>> FieldFiles(tile=64, nan="fill").rule(several_times=True)
    'region'
    """

    defaults: ClassVar = {"dataset": {"licence": "not given"}}
    suffixes: ClassVar = (*NUMPY, *BY_XARRAY)
    variables: tuple[str, ...] = option(
        (), says="of the files, in this order; none: all with rows and columns, by their names"
    )
    units: tuple[str, ...] = option((), says="of the variables, where the files do not say or say it otherwise")
    tile: int | None = option(None, least=4, most=4096, says="points of a side of the tiles; null: whole fields")
    step: int | None = option(None, least=1, most=4096, says="points from a tile to the next; null: a tile's side")
    every: int = option(1, least=1, most=10**6, says="of the times, every so many-th")
    split: Literal["file", "time", "region"] | None = option(
        None, says="what tests; null: regions of tiles, or times where files have several, or else files"
    )
    regions: int = option(6, least=2, most=1000, says="the plane is cut into so many along each side")
    gap: int = option(0, least=0, most=10**6, says="times between the splits that are in neither")
    nan: Literal["refuse", "leave_out", "fill"] = option(
        "refuse", says="of fields with values that are not there: an error, none of them, or the variable's mean there"
    )
    periodic: bool = option(False, says="whether what leaves at one edge comes in at the other, for what is measured")
    velocity: bool = option(
        False, says="whether they are a velocity along x and y, periodic too: its vorticity and divergence are measured"
    )

    def check(self) -> None:
        if self.split == "region" and self.tile is None:
            raise ValueError("split = region: must be file or time where fields are whole: tile is null")
        if self.step is not None and self.tile is None:
            raise ValueError(f"step = {self.step}: must be null where fields are whole: tile is null")
        if twice := [name for name in self.variables if self.variables.count(name) > 1]:
            raise ValueError(f"variables = {list(self.variables)}: {twice[0]} must be there once")
        if self.units and len(self.units) != len(self.variables):
            raise ValueError(f"units has {len(self.units)} entries: must have one for each of variables")

    @property
    def measures(self) -> Choice:
        return {"name": "fields", "periodic": self.periodic, "velocity": self.velocity}

    def rule(self, several_times: bool) -> Rule:
        """By what is split."""
        return self.split or ("region" if self.tile is not None else "time" if several_times else "file")

    def load(self, asked: Request) -> CodedSplits:
        """Raises FolderError: fm.data.own_files.own_files, fm.data.own_data.put_together; files that do not go
        together. UserError: xarray is needed."""
        found = own_files(asked.path, self.suffixes, WHAT)
        if any(file.path.name.lower().endswith(BY_XARRAY) for file in found.files):
            by_xarray()
        seen = Seen()
        # The library of NetCDF is not for several threads.
        each = taken_from(found, lambda file: self.read(file, seen, asked.test_fraction, found), together=False)
        head = common(found.folder, seen.heads, self.tile is None)
        if self.velocity:
            require_velocity(found.folder, head, self.tile)
        rule = self.rule(any(one.times > 1 for one in seen.heads.values()))
        if rule == "time" and not found.is_split:
            each = self.by_time(each, seen, found, asked.test_fraction)
        said = [f"{seen.left_out:,} tiles or fields are left out: values are missing in them"] if seen.left_out else []
        said += unlike_spacings(seen.heads)
        splits = put_together(found, each, lambda train: self.codec(train, head), asked, said)
        if self.nan == "fill":
            fill(splits.test.data, splits.codec.mean)  # type: ignore[attr-defined]
        how = "the folders" if found.is_split else rule
        return replace(splits, origin=f"{splits.origin}, split by {how}")

    def read(self, file: File, seen: Seen, test_fraction: float, found: Found) -> Taken | Unfit:
        """All tiles of all times of a file, or its whole fields. Raises BadImage, OSError."""
        with opened(file.path, self.variables) as fields:
            height, width = fields.size
            if self.tile is not None and min(height, width) < self.tile:
                return Unfit(file, f"smaller than tiles of {self.tile}x{self.tile}", f"{height}x{width}")
            seen.heads[file.name] = Head.of(fields)
            by_region = self.rule(fields.count > 1) == "region" and not found.is_split
            places = self.places(fields.size, test_fraction, file) if by_region else self.anywhere(fields.size)
            made = []
            for time in range(0, fields.count, self.every):
                values = fields.read(time)
                require_finite(values, fields.variables, time, self.nan)
                for row, column, is_test in places:
                    cut = values[:, row : row + self.cut(height), column : column + self.cut(width)]
                    made.append((cut, time, row, column, is_test))
            whole = [one for one in made if self.is_wanted(one[0])]
            seen.left_out += len(made) - len(whole)
            if not whole:
                return Unfit(file, "without a field that has all values", f"{len(made):,} tiles or fields")
            data, times, rows, columns, tests = zip(*whole, strict=True)
            about = {
                "time": np.array(times, np.int64),
                "row": np.array(rows, np.int64),
                "column": np.array(columns, np.int64),
                "y": middles(fields.rows.places, rows, self.cut(height)),
                "x": middles(fields.columns.places, columns, self.cut(width)),
            }
        stacked = np.stack(data)
        if self.nan == "fill":
            about["there"] = np.isfinite(stacked).astype(np.uint8)
        return Taken(file, stacked, digest(file.path), about, np.array(tests) if by_region else None)

    def cut(self, length: int) -> int:
        """Points of a side of what is cut from so many."""
        return length if self.tile is None else self.tile

    def is_wanted(self, values: NDArray[np.float32]) -> bool:
        there = np.isfinite(values)
        return bool(there.all() if self.nan != "fill" else there.any())

    def anywhere(self, size: tuple[int, int]) -> list[tuple[int, int, bool]]:
        """Where tiles begin, by row and column; whole fields begin with the first of them."""
        if self.tile is None:
            return [(0, 0, False)]
        rows, columns = (range(0, length - self.tile + 1, self.step or self.tile) for length in size)
        return [(row, column, False) for row in rows for column in columns]

    def places(self, size: tuple[int, int], test_fraction: float, file: File) -> list[tuple[int, int, bool]]:
        """The same within each region, and whether it tests. Raises BadImage: no tile fits in."""
        assert self.tile is not None
        region = size[0] // self.regions, size[1] // self.regions
        if min(region) < self.tile:
            raise BadImage(
                f"each of {self.regions}x{self.regions} regions of {size[0]}x{size[1]} points is "
                f"{region[0]}x{region[1]}, and a tile {self.tile}x{self.tile}: fewer regions or smaller tiles"
            )
        within = self.anywhere(region)
        return [
            (north * region[0] + row, west * region[1] + column, is_test(north, west, test_fraction))
            for north in range(self.regions)
            for west in range(self.regions)
            for row, column, _ in within
        ]

    def by_time(self, each: Sequence[Read], seen: Seen, found: Found, fraction: float) -> list[Read]:
        """The last times of each label's files, in the order of their names, test; before them is the gap."""
        label_of = {file.name: file.label for file in found.files}
        begins, times = dict[str, int](), Counter[str | None]()
        for name, head in seen.heads.items():
            begins[name] = times[label_of[name]]
            times[label_of[name]] += head.times
        made: list[Read] = []
        for one in each:
            if isinstance(one, Taken):
                count = times[one.file.label]
                first_test = count - max(round(fraction * count), 1)
                time = begins[one.file.name] + one.about["time"]
                stays = (time >= first_test) | (time < first_test - self.gap)
                about = {name: values[stays] for name, values in one.about.items()}
                made.append(Taken(one.file, one.data[stays], one.digest, about, (time >= first_test)[stays]))
            else:
                made.append(one)
        return made

    def codec(self, train: Arrays, head: Head) -> Standardised:
        """With variables, units and spacing. Fills what is not there, where that is wanted. Raises FolderError: by
        nothing."""
        from fm.codecs import Standardised, rounded  # whoever only asks what datasets there are needs no networks

        if self.nan == "fill":
            fill(train.data, means_there(train.data, head.variables))
        return Standardised.fitted(train).changed(
            variables=head.variables,
            units=self.units or head.units,
            spacing=tuple(map(rounded, head.spacing)),
            spacing_units=head.spacing_units,
        )


def is_test(row: int, column: int, fraction: float) -> bool:
    """Whether a region tests: one of so many in every row, in each row elsewhere.

    >>> [[column for column in range(10) if is_test(row, column, 0.2)] for row in range(3)]
    [[2, 7], [0, 5], [3, 8]]
    """
    every = max(round(1 / fraction), 2)
    leap = next(step for step in range(max(round(SHIFT * every), 1), every + 1) if gcd(step, every) == 1)
    return (column + leap * row) % every == every // 2


def require_finite(values: NDArray[np.float32], variables: Sequence[str], time: int, nan: str) -> None:
    """Raises BadImage: values that are infinite, or not there where that is refused."""
    infinite = np.isinf(values)
    wrong = infinite if nan != "refuse" or infinite.any() else np.isnan(values)
    if wrong.any():
        channel, row, column = (int(one) for one in np.argwhere(wrong)[0])
        what, advice = "infinite or beyond what float32 can hold", ""
        if np.isnan(values[channel, row, column]):
            what, advice = "nan", "; set the option nan to leave_out or fill"
        raise BadImage(
            f"{int(wrong.sum()):,} of {wrong.size:,} values are {what}, the first in "
            f"{variables[channel]} at time {time}, row {row}, column {column}{advice}"
        )


def middles(places: NDArray[np.float64] | None, firsts: Sequence[int], length: int) -> NDArray[np.float64]:
    """Where the middles of tiles lie; no numbers where the file does not say."""
    if places is None:
        return np.full(len(firsts), np.nan)
    return np.array([places[first : first + length].mean() for first in firsts])


def means_there(data: NDArray[np.float32], variables: Sequence[str]) -> list[float]:
    """Each channel's mean of what is there of data (N, C, H, W). Raises FolderError: nothing is there of one."""
    if missing := [name for number, name in enumerate(variables) if np.isnan(data[:, number]).all()]:
        raise FolderError(
            f"no training data have a value of {missing[0]}, so there is no mean to fill it with: name other variables "
            "by the option variables, or set the option nan to leave_out"
        )
    return [float(np.nanmean(data[:, channel], dtype=np.float64)) for channel in range(len(variables))]


def fill(data: NDArray[np.float32], means: Sequence[float]) -> None:
    """Put each channel's mean (C,) where data (N, C, H, W) are no numbers."""
    for channel, mean in enumerate(means):
        values = data[:, channel]
        values[np.isnan(values)] = mean


def common(folder: Path, heads: dict[str, Head], same_size: bool) -> Head:
    """What all files have alike. Raises FolderError: what they do not."""
    (first, head), *others = heads.items() if heads else [("", Head((), (), (0, 0), (), (), 0))]
    for name, other in others:
        for what in ("variables", "units", *(("size",) if same_size else ())):
            if getattr(head, what) != getattr(other, what):
                one, two = (told(getattr(each, what)) for each in (head, other))
                raise FolderError(f"{folder}: {what} are {one} in {first} and {two} in {name}: {ADVICE[what]}")
    return head


def unlike_spacings(heads: Mapping[str, Head]) -> list[str]:
    """A warning where the points of some files lie farther apart than those of the first, or the other way round."""
    spacings = {name: head.spacing for name, head in heads.items()}
    first = next(iter(spacings), "")
    unlike = [name for name, spacing in spacings.items() if not are_alike(spacing, spacings[first])]
    if not unlike:
        return []
    return [
        f"the points of {some(unlike)} lie {told(spacings[unlike[0]])} apart and those of {first} "
        f"{told(spacings[first])}: what is learnt is of both, and samples are written with the latter"
    ]


def are_alike(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether these are the same distances, but for the rounding of coordinates.

    >>> are_alike((-0.25, 0.25), (-0.250001, 0.25)), are_alike((-0.25, 0.25), (-1.0, 1.0)), are_alike((), (1.0, 1.0))
    (True, False, False)
    """
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=ROUNDING, atol=0))


def require_velocity(folder: Path, head: Head, tile: int | None) -> None:
    """Raises FolderError: the fields are no velocity whose divergence can be measured."""
    if len(head.variables) != 2:
        raise FolderError(
            f"{folder}: the option velocity is set, and there are {len(head.variables)} variables, "
            f"{told(head.variables)}: name two by the option variables, along x and along y"
        )
    height, width = head.size
    if tile is None and height != width:
        raise FolderError(
            f"{folder}: the option velocity is set, and fields are {height} x {width} points: its divergence is "
            "measured of squares alone"
        )


ADVICE = {
    "variables": "say by the option variables which are wanted",
    "units": "convert one of them",
    "size": "set the option tile, or bring them to one size",
}


def told(values: Sequence[object]) -> str:
    return ", ".join(map(str, values)) or "not said"
