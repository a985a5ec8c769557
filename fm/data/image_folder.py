"""A folder of your own images: a sub-folder for each label, or none at all.

What is in the test split is decided by each file's content alone, so it stays there when others come or go.
"""

import hashlib
import os
import unicodedata
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fm.data.decoding import BadImage, decode
from fm.data.splits import Skipped, Splits
from fm.errors import UserError

NAMED = 20  # files that a message names


class FolderError(UserError):
    """The folder, or something in it, cannot be used; the message names it."""


@dataclass(frozen=True)
class Found:
    """An image file: its path below the folder, in NFC, and its label's number (0 without labels)."""

    name: str
    path: Path
    label: int


@dataclass(frozen=True, eq=False)
class Read:
    """A decoded file."""

    found: Found
    pixels: NDArray[np.uint8]
    is_test: bool


def load(folder: Path, size: int, channels: int, test_fraction: float, skip_bad: bool) -> Splits:
    """Every image below `folder`, uint8 (N, size, size, channels), in the order of their names.

    Args:
        test_fraction: share of the contents held out.
        skip_bad: leave files out that cannot be used, instead of refusing the folder.

    Raises:
        FolderError: there is no such folder; images both beside and in sub-folders; files that cannot be used; too
            few images for two splits, or a label without one to train with.
    """
    files, label_names = find(folder)
    read, skipped = read_all(files, size, channels, test_fraction)
    if skipped and not skip_bad:
        listed = "".join(f"\n  {one.file}: {one.reason}" for one in skipped[:NAMED])
        more = f"\n  and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
        raise FolderError(
            f"{folder}: {len(skipped)} of {len(files)} images cannot be used:{listed}{more}\n"
            "Mend or remove them, or set dataset.on_bad_image: skip"
        )
    train, test = [one for one in read if not one.is_test], [one for one in read if one.is_test]
    if not train or not test:
        raise FolderError(
            f"{folder}: of {len(read)} images {len(train)} are to train and {len(test)} to test with: "
            "both must be there; add images, or change dataset.test_fraction"
        )
    missing = set(range(len(label_names))) - {one.found.label for one in train}
    if missing:
        names = ", ".join(label_names[label] for label in sorted(missing))
        raise FolderError(f"{folder}: no image to train with of {names}; add some, or remove the sub-folder")
    return Splits(
        train_images=np.stack([one.pixels for one in train]),
        train_labels=np.array([one.found.label for one in train], dtype=np.int64),
        test_images=np.stack([one.pixels for one in test]),
        test_labels=np.array([one.found.label for one in test], dtype=np.int64),
        label_names=label_names,
        origin=str(folder),
        train_files=tuple(one.found.name for one in train),
        test_files=tuple(one.found.name for one in test),
        skipped=tuple(skipped),
    )


def find(folder: Path) -> tuple[list[Found], tuple[str, ...]]:
    """The image files below a folder, by name, and the label names that its sub-folders are."""
    if not folder.is_dir():
        raise FolderError(f"{folder}: there is no such folder; dataset.path must be the folder with your images")
    paths = {composed(path.relative_to(folder)): path for path in image_files(folder)}
    if not paths:
        raise FolderError(f"{folder}: there is no image in it (.png, .jpg, .webp or another that Pillow can read)")
    labels = sorted({name.split("/")[0] for name in paths if "/" in name})
    beside = [name for name in sorted(paths) if "/" not in name]
    if labels and beside:
        raise FolderError(
            f"{folder}: images both beside sub-folders ({beside[0]}) and in them ({labels[0]}/): "
            "put each into the sub-folder of its label, or all into the folder itself"
        )
    numbers = {name: number for number, name in enumerate(labels)}
    found = [Found(name, paths[name], numbers.get(name.split("/")[0], 0)) for name in sorted(paths)]
    return found, tuple(labels)


def image_files(folder: Path) -> Iterator[Path]:
    """Files with a suffix that Pillow can read; none that is hidden, nor in a hidden folder."""
    known = set(Image.registered_extensions())
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in known:
                yield Path(parent, name)


def composed(path: Path) -> str:
    """A name in Unicode's NFC, since one file system gives the same name composed and another not."""
    return unicodedata.normalize("NFC", path.as_posix())


def read_all(files: list[Found], size: int, channels: int, test_fraction: float) -> tuple[list[Read], list[Skipped]]:
    """Each file decoded, or left out with the reason, in the order given."""

    def read(found: Found) -> Read | Skipped:
        try:
            content = found.path.read_bytes()
            return Read(found, decode(content, size, channels), held_out(content, test_fraction))
        except OSError as error:
            return Skipped(found.name, error.strerror or str(error))
        except BadImage as error:
            return Skipped(found.name, str(error))

    # Pillow lets go of Python's lock while it decodes and resizes.
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # of files that are damaged or large: what matters is refused anyway
        results = list(pool.map(read, files))
    return [one for one in results if isinstance(one, Read)], [one for one in results if isinstance(one, Skipped)]


def held_out(content: bytes, fraction: float) -> bool:
    """Whether a file belongs to the test split: its SHA-256, read as a number in [0, 1), is below `fraction`."""
    digest = hashlib.sha256(content).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64
