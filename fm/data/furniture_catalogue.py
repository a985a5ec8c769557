"""The catalogues of Sweet Home 3D's furniture: ZIP files of models with what is known of each."""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CATALOGUE = "PluginFurnitureCatalog.properties"
ENTRY = re.compile(r"(\w+)#(\d+)=(.*)")
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
"""How a file of properties, which is in Latin-1, writes other letters."""
UPRIGHT = "1 0 0 0 1 0 0 0 1"


@dataclass(frozen=True)
class Piece:
    """A piece of furniture.

    Attributes:
        model: by which its catalogue knows it, as `Scopia#bed1`.
        name, category, creator: as the catalogue has them, in English.
        licence: of the catalogue that it is in.
        size: width, height and depth in cm.
        rotation: by which its model is turned before it stands upright, (3, 3).
        obj: the file of its model.

    >>> Piece("Scopia#bed1", "Bed", "Bedroom", "Scopia", "CC BY 3.0", (170.5, 110.8, 216.5), np.eye(3), b"").category
    'Bedroom'
    """

    model: str
    name: str
    category: str
    creator: str
    licence: str
    size: tuple[float, float, float]
    rotation: NDArray[np.float64]
    obj: bytes


def pieces(catalogue: bytes, licence: str) -> Iterator[Piece]:
    """All pieces of a catalogue (.sh3f), in its order."""
    with zipfile.ZipFile(io.BytesIO(catalogue)) as archive:
        for entry in entries(archive.read(CATALOGUE).decode("latin-1")):
            yield Piece(
                model=entry["id"],
                name=entry["name"],
                category=entry["category"],
                creator=entry.get("creator", ""),
                licence=licence,
                size=(float(entry["width"]), float(entry["height"]), float(entry["depth"])),
                rotation=np.array(entry.get("modelRotation", UPRIGHT).split(), dtype=np.float64).reshape(3, 3),
                obj=archive.read(entry["model"].removeprefix("/")),
            )


def entries(properties: str) -> list[dict[str, str]]:
    """What a file of properties says of each piece: `name#3=Bed` is the name of the third.

    >>> entries("version=1.8\\nname#1=Bed\\nname#2=Bench\\nwidth#1=90")
    [{'name': 'Bed', 'width': '90'}, {'name': 'Bench'}]
    """
    found: dict[int, dict[str, str]] = {}
    for line in properties.splitlines():
        if entry := ENTRY.fullmatch(line):
            key, number, value = entry.groups()
            found.setdefault(int(number), {})[key] = ESCAPE.sub(lambda one: chr(int(one[1], 16)), value.strip())
    return list(found.values())
