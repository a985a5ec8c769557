"""Folders below starts/, each with a trained network: one that a row of params.yaml goes on from (`start_from`), or an
autoencoder whose latents networks are trained on (`codec.autoencoder`)."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fm import autoencoder_folders, starting
from fm.errors import UserError
from fm.generator_files import GeneratorError
from fm.networks import Autoencoder
from fm.starting import Original
from fm.weight_files import Shape
from pipelines.params import FILE, Params, ParamsError, require_fitting

if TYPE_CHECKING:
    from torch import Tensor

HERE = Path()
"""The checkout that a stage works in."""


def require_all(settings: Params, root: Path) -> None:
    """That rows can go on from their folders, and latents be made by one. Raises UserError, with the key and what is
    wrong."""
    if settings.codec.of_latents and settings.codec.folder is not None:
        autoencoder(settings, settings.codec.folder, root)
    for name, row in settings.methods.items():
        if row.start_from is not None:
            original(name, row.start_from, root)


def original(row: str, folder: str, root: Path = HERE) -> Original:
    """What lies there. Raises UserError: there is no network, or none that can be gone on from."""
    with named(row, folder):
        return starting.original_in(there(folder, root))


def autoencoder(settings: Params, folder: str, root: Path = HERE) -> Autoencoder:
    """Which one lies there. Raises UserError: there is none, or it makes no latents of the images."""
    with told("codec.autoencoder", folder):
        found = autoencoder_folders.autoencoder_in(there(folder, root))
    try:
        require_fitting(found, *settings.dataset.pictures)
    except ValueError as error:
        raise ParamsError(f"{FILE}: {error}") from None
    return found


def weights(row: str, folder: str, root: Path = HERE) -> "dict[str, Tensor]":
    """Of the same. Raises UserError where they cannot be read."""
    with named(row, folder):
        return starting.weights_in(there(folder, root))


def shapes(row: str, folder: str, root: Path = HERE) -> dict[str, Shape]:
    """Of those weights, as the files' headers say. Raises UserError where they cannot be read."""
    with named(row, folder):
        return starting.shapes_in(there(folder, root))


def content(folder: str, root: Path = HERE) -> str:
    """SHA-256 of all its files, by their names: another content is another network. Raises GeneratorError."""
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


def named(row: str, folder: str) -> AbstractContextManager[None]:
    """What is wrong with a folder is told with the row that goes on from it."""
    return told(f"methods.{row}.start_from", folder)


@contextmanager
def told(key: str, folder: str) -> Iterator[None]:
    """With the setting that names it."""
    try:
        yield
    except GeneratorError as error:
        raise UserError(f"{FILE}: {key} = {folder}: {error}") from None
