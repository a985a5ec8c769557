"""Furniture as voxels: 32x32x32, of models with a category each, in four directions.

Source: https://www.sweethome3d.com/importModels.jsp, as Debian's package sweethome3d-furniture has them. Most of their
licences ask for a credit: licence and maker are kept beside each volume.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.components import Choice
from fm.data.coded import CodedSplits
from fm.data.dataset import CodedDataset, Request
from fm.data.debian import ARCHIVE, debian_archive
from fm.data.fetching import collect, debian_package, folder
from fm.data.furniture_catalogue import Piece, pieces
from fm.data.rows import Arrays
from fm.data.voxels import mesh, voxelised

PACKAGE = "sweethome3d-furniture"
ARCHIVED = "pool/main/s/sweethome3d-furniture/sweethome3d-furniture_1.8-1_all.deb"
INSTALLED = Path("/usr/share/sweethome3d/furniture")
SUMS = {
    "BlendSwap-CC-0.sh3f": "7ef093fe70cedbb160bdb532d86a84580459635e34130c16777f549eba1993dc",
    "BlendSwap-CC-BY.sh3f": "29ae78937b4d5dbe93db74067817a984fa411f017b007fd666bc40368bdb0c83",
    "KatorLegaz.sh3f": "f512443b5d3a6903497573095f971f44334b3165ab32182133051fa9487764a6",
    "Reallusion.sh3f": "dd553207876ccec6372dde7aaea6b2dcf2d631997fcdb8a9856a639e0db9aa9b",
    "Scopia.sh3f": "b4505451b1e8ab339c101c0afddfef4e1a07b95aa8c821c61ec41487afd43850",
}
LICENCES = {
    "BlendSwap-CC-0.sh3f": "CC0 1.0",
    "BlendSwap-CC-BY.sh3f": "CC BY 3.0",
    "KatorLegaz.sh3f": "CC BY 3.0 US",
    "Reallusion.sh3f": "CC BY 3.0 US",
    "Scopia.sh3f": "CC BY 3.0",
}
SIDE = 32
MARGIN = 1  # voxels that stay empty at every wall
ROUNDING = 1e-6  # of a voxel, so that what ends at a margin does not begin in it
EVERY = 5  # of a category's models one in so many tests
LEAST = 10  # models that a category has, or is left out
DIRECTIONS = 4
Volume = tuple[Piece, NDArray[np.bool_]]
KNOWN = ("model", "name", "creator", "licence")
"""What is kept of each model in words."""


class FurnitureVoxels(
    CodedDataset,
    name="furniture-voxels",
    says="models of furniture as 32x32x32 voxels, filled, in four directions, with their categories as labels",
    source="Sweet Home 3D's furniture, https://www.sweethome3d.com/importModels.jsp",
):
    """`load` of this module.

    >>> from fm.data.dataset import Dataset
    >>> Dataset.of("furniture-voxels")
    FurnitureVoxels()
    """

    defaults: ClassVar = {
        "dataset": {
            "licence": "models by Scopia, the contributors of Blend Swap, Kator Legaz and Reallusion: CC BY 3.0 and CC0"
        }
    }

    @property
    def measures(self) -> Choice:
        return "volumes"

    def load(self, asked: Request) -> CodedSplits:
        return load(asked.cache)


def load(cache: Path, installed: Path = INSTALLED, package: str = PACKAGE, archive: str = ARCHIVE) -> CodedSplits:
    """Volumes uint8 (32, 32, 32, 1), 255 where there is something: from back to front, from the top to the floor, from
    left to right.

    Each model stands on the floor, as large as fits, in proportion; beside it lie its true `size` in cm (width, height,
    depth, float32) and, in words, its `model`, `name`, `creator` and `licence`. Every fifth model of a category is for
    testing, with all its directions. Models of one shape are there once.

    Looks in `<cache>/downloads/furniture-voxels`, then takes Debian's package where it is installed, then fetches that
    package with apt-get, then without it. Every file is checked, and kept in the cache; nothing in it is run.

    Raises:
        DatasetUnavailable: none of them gave the data.
    """
    downloads = cache / "downloads" / "furniture-voxels"
    origins = [
        folder("Debian's package, installed", installed),
        debian_package("Debian's package, fetched", package, INSTALLED),
        debian_archive(ARCHIVED, INSTALLED, archive),
    ]
    advice = (
        f"You can connect this machine to Debian's archive, or install the package (sudo apt-get install {PACKAGE}), "
        f"or copy the files {', '.join(SUMS)} of {INSTALLED} into {downloads}; then run this again."
    )
    collected = collect("furniture-voxels", SUMS, bytes, downloads, origins, advice)
    found: dict[bytes, Volume] = {}
    for file in SUMS:
        for piece in pieces(collected.contents[file], LICENCES[file]):
            volume = voxelised(standing(piece), SIDE)
            found.setdefault(volume.tobytes(), (replace(piece, obj=b""), volume))
    return split(list(found.values()), collected.origin)


def standing(piece: Piece) -> NDArray[np.float64]:
    """The triangles of a model as voxels have them, (T, 3, 3): from the back, from the top and from the left."""
    surface = mesh(piece.obj)
    corners = (surface.points @ piece.rotation.T)[surface.triangles]
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    size = np.array(piece.size) * (SIDE - 2 * MARGIN) / max(piece.size)
    across, up, front = np.moveaxis((corners - low) / np.where(high > low, high - low, 1) * size, -1, 0)
    places = [(SIDE - size[2]) / 2 + front, SIDE - MARGIN - up, (SIDE - size[0]) / 2 + across]
    within: NDArray[np.float64] = np.clip(np.stack(places, axis=-1), MARGIN + ROUNDING, SIDE - MARGIN - ROUNDING)
    return within


def split(volumes: Sequence[Volume], origin: str) -> CodedSplits:
    """What trains and what tests of the models whose categories have LEAST of them or more."""
    from fm.codecs import Pixels  # whoever only asks what datasets there are needs no networks
    from fm.conditions import Labels

    counts = Counter(piece.category for piece, _ in volumes)
    labels = tuple(sorted(category for category, count in counts.items() if count >= LEAST))
    by_label = [[one for one in volumes if one[0].category == label] for label in labels]
    train = [one for some in by_label for number, one in enumerate(some) if number % EVERY]
    test = [one for some in by_label for one in some[::EVERY]]
    longest = {field: max(len(getattr(piece, field)) for piece, _ in train + test) for field in KNOWN}
    return CodedSplits(
        rows_of(train, labels, longest),
        rows_of(test, labels, longest),
        Pixels((SIDE, SIDE, SIDE, 1), spacing=(1.0, 1.0, 1.0), spacing_units=("voxel", "voxel", "voxel")),
        Labels(labels),
        origin,
    )


def rows_of(volumes: Sequence[Volume], labels: Sequence[str], longest: Mapping[str, int]) -> Arrays:
    """Each model in its directions, one after the other."""
    turned = [np.rot90(volume, turn, axes=(0, 2)) for _, volume in volumes for turn in range(DIRECTIONS)]
    known = [piece for piece, _ in volumes for _ in range(DIRECTIONS)]
    return Arrays(
        {
            "data": np.stack(turned)[..., np.newaxis].astype(np.uint8) * np.uint8(255),
            "label": np.array([labels.index(piece.category) for piece in known], dtype=np.int64),
            "size": np.array([piece.size for piece in known], dtype=np.float32),
            **{
                field: np.array([getattr(piece, field) for piece in known], dtype=f"<U{longest[field]}")
                for field in KNOWN
            },
        }
    )
