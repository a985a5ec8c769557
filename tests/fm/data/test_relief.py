from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fm.data import relief
from fm.data.relief import ARCHIVED, FILE, INSTALLED, REGION, Tiles, is_test, tiles
from fm.data.sources import DatasetUnavailable
from pipelines.project import cache_dir

if TYPE_CHECKING:
    from conftest import Site

NO_PACKAGE = "there-is-no-such-package"
WIDTH = 4320


@pytest.fixture(scope="module")
def split() -> tuple[Tiles, Tiles]:
    """Tiles of a relief of which each point says where it is: its row and its column in one number."""
    return tiles(np.arange(2161 * WIDTH, dtype=np.float32).reshape(2161, WIDTH))


def places(heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the belt and columns of points."""
    rows, columns = np.divmod(heights.astype(np.int64), WIDTH)
    return rows - 360, columns


def test_tiles_are_cut_from_regions_of_their_own_split(split: tuple[Tiles, Tiles]) -> None:
    assert [some.heights.shape for some in split] == [(7776, 1, 64, 64), (972, 1, 64, 64)]
    for some, wanted in zip(split, (False, True), strict=True):
        for corner in (some.heights[:, 0, row, column] for row in (0, -1) for column in (0, -1)):
            rows, columns = places(corner)
            assert set(is_test(rows // REGION, columns // REGION)) == {wanted}
        rows, columns = places(some.heights[::97, 0])
        assert np.all(np.diff(rows, axis=1) == -1), "north is up"
        assert np.all(np.diff(columns, axis=2) == 1)


def test_no_point_is_in_both_splits_and_none_of_the_belt_is_left_out(split: tuple[Tiles, Tiles]) -> None:
    seen = np.zeros((6 * REGION, WIDTH), dtype=np.int64)
    for number, some in enumerate(split):
        for tile in some.heights[:, 0]:
            (row, column) = (int(place) for place in places(tile[-1, 0]))
            seen[row : row + 64, column : column + 64] |= number + 1
    assert set(np.unique(seen)) == {1, 2}


def test_a_tile_knows_where_its_middle_is(split: tuple[Tiles, Tiles]) -> None:
    for some in split:
        ends = np.stack([places(some.heights[:, 0, row, row]) for row in (0, -1)])
        middle = ends.mean(axis=0)
        np.testing.assert_allclose(some.latitude, middle[0] / 12 - 60, atol=1e-4)
        np.testing.assert_allclose(some.longitude, middle[1] / 12, atol=1e-4)


def test_what_is_nowhere_tells_what_was_tried(tmp_path: Path, site: "Site") -> None:
    cached = tmp_path / "downloads" / "relief"
    cached.mkdir(parents=True)
    (cached / FILE).write_bytes(b"a flat earth")
    with pytest.raises(DatasetUnavailable) as failure:
        relief.load(tmp_path, installed=tmp_path / "nowhere", package=NO_PACKAGE, archive=site.url)
    first, here, installed, fetched, archive, advice = str(failure.value).splitlines()
    assert first.startswith("relief ")
    assert here.startswith("  local cache (")
    assert "the SHA-256 of its content is" in here
    assert installed.startswith("  Debian's package, installed (")
    assert fetched.startswith(f"  Debian's package, fetched ({NO_PACKAGE}): ")
    assert archive.startswith(f"  Debian's archive ({site.url}{ARCHIVED}): ")
    assert "sudo apt-get install ferret-datasets" in advice
    assert str(cached) in advice


def test_the_earth_is_as_it_is_known_to_be(tmp_path: Path) -> None:
    folders = [INSTALLED, cache_dir() / "downloads" / "relief"]
    found = next((folder for folder in folders if (folder / FILE).exists()), None)
    if found is None:
        pytest.skip("neither Debian's package ferret-datasets nor the local cache has the relief")
    splits = relief.load(tmp_path, installed=found, package=NO_PACKAGE)
    for rows in (splits.train, splits.test):
        assert rows.data.dtype == np.float32
        assert np.mean(rows.data > 0) == pytest.approx(0.27, abs=0.03)
        assert rows.data.mean() == pytest.approx(-2600, abs=100)
    here = splits.train
    highest = np.argmax(here.data.max(axis=(1, 2, 3)))
    assert here.data.max() > 7000
    assert 25 < here.column("latitude")[highest] < 40, "in the Himalaya or the Karakoram"
    assert 70 < here.column("longitude")[highest] < 95
    assert (tmp_path / "downloads" / "relief" / FILE).exists()
