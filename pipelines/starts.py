"""Folders below starts/, each with a trained network that a row of params.yaml goes on from (`start_from`)."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fm import starting
from fm.errors import UserError
from fm.generator_files import GeneratorError
from fm.starting import Original
from fm.weight_files import Shape
from pipelines.params import Params

if TYPE_CHECKING:
    from torch import Tensor

HERE = Path()
"""The checkout that a stage works in."""


def require_all(settings: Params, root: Path) -> None:
    """That every row that goes on from a folder can. Raises UserError, with the row and what is wrong."""
    for name, row in settings.methods.items():
        if row.start_from is not None:
            original(name, row.start_from, root)


def original(row: str, folder: str, root: Path = HERE) -> Original:
    """What lies there. Raises UserError: there is no network, or none that can be gone on from."""
    with named(row, folder):
        return starting.original_in(there(folder, root))


def weights(row: str, folder: str, root: Path = HERE) -> "dict[str, Tensor]":
    """Of the same. Raises UserError where they cannot be read."""
    with named(row, folder):
        return starting.weights_in(there(folder, root))


def shapes(row: str, folder: str, root: Path = HERE) -> dict[str, Shape]:
    """Of those weights, as the files' headers say. Raises UserError where they cannot be read."""
    with named(row, folder):
        return starting.shapes_in(there(folder, root))


def content(row: str, folder: str, root: Path = HERE) -> str:
    """SHA-256 of all its files, by their names: another content is another network. Raises UserError."""
    with named(row, folder):
        place, found = there(folder, root), hashlib.sha256()
    for file in sorted(one for one in place.rglob("*") if one.is_file()):
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        found.update(f"{file.relative_to(place).as_posix()} {digest}\n".encode())
    return found.hexdigest()


def there(folder: str, root: Path) -> Path:
    place = root / folder
    if not place.is_dir():
        raise GeneratorError("must be a folder with a trained network: starts/README.md")
    return place


@contextmanager
def named(row: str, folder: str) -> Iterator[None]:
    """What is wrong with a folder is told with the row that goes on from it."""
    try:
        yield
    except GeneratorError as error:
        raise UserError(f"params.yaml: methods.{row}.start_from = {folder}: {error}") from None
