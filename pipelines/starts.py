"""Folders below starts/, each with a trained network that a row of params.yaml goes on from (`start_from`)."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from fm import starting
from fm.errors import UserError
from fm.starting import Original

if TYPE_CHECKING:
    from torch import Tensor

HERE = Path()
"""The checkout that a stage works in."""


def original(folder: str, root: Path = HERE) -> Original:
    """What lies there. Raises UserError: there is no network, or none that can be gone on from."""
    return starting.original_in(there(folder, root))


def weights(folder: str, root: Path = HERE) -> "dict[str, Tensor]":
    """Of the same. Raises UserError where they cannot be read."""
    return starting.weights_in(there(folder, root))


def content(folder: str, root: Path = HERE) -> str:
    """SHA-256 of all its files, by their names: another content is another network. Raises UserError."""
    place, found = there(folder, root), hashlib.sha256()
    for file in sorted(one for one in place.rglob("*") if one.is_file()):
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        found.update(f"{file.relative_to(place).as_posix()} {digest}\n".encode())
    return found.hexdigest()


def there(folder: str, root: Path) -> Path:
    place = root / folder
    if not place.is_dir():
        raise UserError(
            f"params.yaml: start_from = {folder}: must be a folder with a trained network: starts/README.md"
        )
    return place
