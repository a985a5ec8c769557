"""Relief: heights of land and depths of the sea between 60 degrees south and north in metres, in tiles of 64x64 points.

The points lie 5 minutes of arc apart: a tile is 5 1/3 degrees high and wide, 590 km along a meridian. The split is by
region: the belt is cut into 18 x 6 regions of 20 degrees, of which every ninth is for testing alone. Tiles lie within
a region and overlap there, 81 in each, so those of one region are less than 81 independent ones.

Source: ETOPO5, National Geophysical Data Center of the USA 1988, Data Announcement 88-MGG-02; as Debian's package
ferret-datasets has it (NOAA's Ferret, https://ferret.pmel.noaa.gov/Ferret)
"""

import io
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fm.components import Choice
from fm.data.coded import CodedSplits
from fm.data.dataset import CodedDataset, Request
from fm.data.debian import ARCHIVE, debian_archive
from fm.data.fetching import collect, debian_package, folder
from fm.data.rows import Arrays

PACKAGE = "ferret-datasets"
ARCHIVED = "pool/main/f/ferret-vis/ferret-datasets_7.6.0-5_all.deb"
INSTALLED = Path("/usr/share/ferret-vis/data")
FILE = "etopo5.cdf"
SUM = "1455d5e5feebd183d0bef5538a750ca8a44801e1503f964df900831c224459ce"
HEIGHTS = "ROSE"
"""What the file calls them."""

TILE = 64
REGION = 240  # points on a side: 20 degrees
STEP = 22  # points from one tile to the next: (240 - 64) / 22 + 1 = 9 of them fill a region
BELT = slice(360, 360 + 6 * REGION)  # rows from 60 degrees south to 60 north: nearer the poles a tile is too narrow
POINTS = 12  # a degree
EVERY, FIRST, LEAP = 9, 3, 5
"""Which regions test: every ninth of a row, five further in each row. Of nine beginnings, with this one their mean
height, deviation and share of land are nearest to the whole belt's."""


class Relief(
    CodedDataset,
    name="relief",
    says="heights of land and depths of the sea in metres, tiles of 64x64 points whose test split lies elsewhere",
    source="ETOPO5, by the National Geophysical Data Center",
):
    """`load` of this module.

    >>> from fm.data.dataset import Dataset
    >>> Dataset.of("relief")
    Relief()
    """

    defaults: ClassVar = {
        "dataset": {"licence": "ETOPO5 by the US government's NGDC, in the public domain; by Debian's ferret-datasets"}
    }

    @property
    def measures(self) -> Choice:
        return {"name": "fields"}

    def load(self, asked: Request) -> CodedSplits:
        return load(asked.cache)


class Tiles(NamedTuple):
    """Tiles and the middle of each.

    Attributes:
        heights: float32 (N, 1, 64, 64) in metres, above the sea where positive; north is up.
        latitude, longitude: float32 (N,) in degrees, north and east.

    >>> Tiles._fields
    ('heights', 'latitude', 'longitude')
    """

    heights: NDArray[np.float32]
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]


def load(cache: Path, installed: Path = INSTALLED, package: str = PACKAGE, archive: str = ARCHIVE) -> CodedSplits:
    """7,776 tiles to train with and 972 to test with, with `latitude` and `longitude` of their middles beside them.

    Looks in `<cache>/downloads/relief`, then takes Debian's package where it is installed, then fetches that package
    with apt-get, then without it. The file is checked, and kept in the cache.

    Raises:
        DatasetUnavailable: none of them gave the data.
    """
    from fm.codecs import Standardised  # whoever only asks what datasets there are needs no networks
    from fm.conditions import Unconditional

    downloads = cache / "downloads" / "relief"
    origins = [
        folder("Debian's package, installed", installed),
        debian_package("Debian's package, fetched", package, INSTALLED),
        debian_archive(ARCHIVED, INSTALLED, archive),
    ]
    advice = (
        f"You can connect this machine to Debian's archive, or install the package (sudo apt-get install {PACKAGE}), "
        f"or copy its file {INSTALLED / FILE} into {downloads}; then run this again."
    )
    collected = collect("relief", {FILE: SUM}, bytes, downloads, origins, advice)
    train, test = tiles(heights(collected.contents[FILE]))
    return CodedSplits(
        rows_of(train),
        rows_of(test),
        Standardised.fitted(rows_of(train)).changed(variables=("height",), units=("m",)),
        Unconditional(),
        origin=collected.origin,
    )


def heights(content: bytes) -> NDArray[np.float32]:
    """Of the file (NetCDF): (2161, 4320), rows from the south pole to the north, columns from Greenwich to the east."""
    from scipy.io import netcdf_file

    with netcdf_file(io.BytesIO(content), mmap=False) as file:
        found: NDArray[np.float32] = file.variables[HEIGHTS].data.astype(np.float32)
    return found


def tiles(earth: NDArray[np.float32]) -> tuple[Tiles, Tiles]:
    """Those of the training regions, then those of the test regions: row by row of regions, from the south and west."""
    belt = earth[BELT]
    split: tuple[list[tuple[int, int]], list[tuple[int, int]]] = [], []
    for row in range(belt.shape[0] // REGION):
        for column in range(belt.shape[1] // REGION):
            places = split[is_test(row, column)]
            places += [(row * REGION + south, column * REGION + west) for south in STARTS for west in STARTS]
    train, test = (tiles_at(belt, places) for places in split)
    return train, test


STARTS = range(0, REGION - TILE + 1, STEP)


def is_test(row: int, column: int) -> bool:
    """Whether a region tests, by its row from the south and its column from Greenwich.

    >>> sum(is_test(row, column) for row in range(6) for column in range(18))
    12
    """
    return (column + LEAP * row) % EVERY == FIRST


def tiles_at(belt: NDArray[np.float32], places: list[tuple[int, int]]) -> Tiles:
    """Tiles whose southwestern points are at these rows and columns."""
    south, west = np.array(places).T
    cut = [belt[row : row + TILE, column : column + TILE][::-1] for row, column in places]
    middle = (TILE - 1) / 2
    return Tiles(
        heights=np.stack(cut)[:, np.newaxis],
        latitude=((BELT.start + south + middle) / POINTS - 90).astype(np.float32),
        longitude=((west + middle) / POINTS).astype(np.float32),
    )


def rows_of(tiles: Tiles) -> Arrays:
    return Arrays({"data": tiles.heights, "latitude": tiles.latitude, "longitude": tiles.longitude})
