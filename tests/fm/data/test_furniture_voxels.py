import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fm.data import furniture_voxels
from fm.data.furniture_catalogue import CATALOGUE, Piece, pieces
from fm.data.furniture_voxels import INSTALLED, LEAST, SUMS, split, standing
from fm.data.sources import DatasetUnavailable
from fm.data.voxels import voxelised
from fm.metrics.volumes import connected, occupancy
from pipelines.project import cache_dir

if TYPE_CHECKING:
    from conftest import Site

NO_PACKAGE = "there-is-no-such-package"
STEP = b"v 0 0 0\nv 2 0 0\nv 2 1 0\nv 0 0 1\nv 2 0 1\nv 2 1 1\nf 1 2 3\nf 4 5 6\nf 1 2 5 4\nf 2 3 6 5\nf 3 1 4 6\n"
"""A wedge that rises to the right."""
PROPERTIES = """# a catalogue
version=1.8
id#1=Mine#wedge
name#1=Wedge
category#1=Bedroom
model#1=/mine/wedge.obj
width#1=20
depth#1=5
height#1=10
creator#1=J\xe9r\xf4me
id#2=Mine#lying
name#2=Lying wedge, 10\\u20AC
category#2=Office
model#2=/mine/wedge.obj
modelRotation#2=1 0 0 0 0 1 0 -1 0
width#2=20.5
depth#2=10
height#2=5
"""


def catalogue() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(CATALOGUE, PROPERTIES.encode("latin-1"))
        archive.writestr("mine/wedge.obj", STEP)
    return content.getvalue()


def piece(number: int, category: str) -> Piece:
    return Piece(f"Mine#{number}", "Wedge", category, "me", "CC0 1.0", (2, 1, 1), np.eye(3), STEP)


def test_a_catalogue_says_what_its_pieces_are() -> None:
    wedge, lying = pieces(catalogue(), "CC0 1.0")
    assert (wedge.model, wedge.name, wedge.category) == ("Mine#wedge", "Wedge", "Bedroom")
    assert lying.name == "Lying wedge, 10€"
    assert (wedge.creator, wedge.licence, wedge.size) == ("Jérôme", "CC0 1.0", (20, 10, 5))
    assert (wedge.obj, lying.creator, lying.size) == (STEP, "", (20.5, 5, 10))
    np.testing.assert_array_equal(wedge.rotation, np.eye(3))


def test_a_model_stands_on_the_floor_in_the_middle_in_proportion() -> None:
    wedge, lying = (voxelised(standing(one), 32) for one in pieces(catalogue(), ""))
    from_back, from_top, from_left = (np.flatnonzero(wedge.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    assert (from_left[0], from_left[-1]) == (1, 30)
    assert (from_top[0], from_top[-1]) == (16, 30)
    assert from_back.sum() / len(from_back) == pytest.approx(15.5)
    assert len(from_back) == 8
    assert wedge[16, 30, 2]
    assert not wedge[16, 17, 2]
    assert wedge[16, 17, 29], "it rises to the right"
    assert np.count_nonzero(lying.any(axis=(0, 2))) == 8


def test_every_fifth_model_tests_in_all_directions_and_small_categories_are_left_out() -> None:
    filled = voxelised(standing(piece(0, "")), 32)
    many = [(piece(number, "Office"), filled) for number in range(12)]
    few = [(piece(number, "Staircases"), filled) for number in range(12, 12 + LEAST - 1)]
    splits = split(few + many, "here")
    assert splits.conditioner.choices == ("Office",)
    assert set(splits.test.column("model")) == {"Mine#0", "Mine#5", "Mine#10"}
    assert (len(splits.train), len(splits.test)) == (9 * 4, 3 * 4)
    first = splits.test.data[:4, ..., 0] > 0
    np.testing.assert_array_equal(first[0], filled)
    np.testing.assert_array_equal(first[2], filled[::-1, :, ::-1])
    assert len({volume.tobytes() for volume in first}) == 4
    assert splits.train.column("licence")[0] == "CC0 1.0"
    np.testing.assert_array_equal(splits.train.column("size")[0], [2, 1, 1])


def test_what_is_nowhere_tells_what_was_tried(tmp_path: Path, site: "Site") -> None:
    with pytest.raises(DatasetUnavailable) as failure:
        furniture_voxels.load(tmp_path, installed=tmp_path / "nowhere", package=NO_PACKAGE, archive=site.url)
    text = str(failure.value)
    assert text.startswith("furniture-voxels ")
    assert f"Debian's package, fetched ({NO_PACKAGE}): " in text
    assert f"Debian's archive ({site.url}pool/main/s/sweethome3d-furniture/" in text
    assert "sudo apt-get install sweethome3d-furniture" in text
    assert str(tmp_path / "downloads" / "furniture-voxels") in text


def test_real_furniture_is_connected_and_neither_empty_nor_full() -> None:
    folders = [INSTALLED, cache_dir() / "downloads" / "furniture-voxels"]
    file = "KatorLegaz.sh3f"
    found = next((folder / file for folder in folders if (folder / file).exists()), None)
    if found is None:
        pytest.skip("neither Debian's package sweethome3d-furniture nor the local cache has its models")
    assert len(SUMS) == 5
    some = [one for number, one in enumerate(pieces(found.read_bytes(), "CC BY 3.0 US")) if number % 4 == 0]
    volumes = np.stack([voxelised(standing(one), 32) for one in some])[..., np.newaxis].astype(np.uint8) * np.uint8(255)
    assert np.mean(connected(volumes).parts == 1) > 0.9
    assert 0 < occupancy(volumes).min() < occupancy(volumes).max() < 0.9
    edges = np.concatenate(
        [volumes[:, [0, -1]].ravel(), volumes[:, :, [0, -1]].ravel(), volumes[:, :, :, [0, -1]].ravel()]
    )
    assert not edges.any()
