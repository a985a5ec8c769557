"""A folder of your own images: a sub-folder for each label, or none at all.

What is in the test split is decided by each file's content alone, so it stays there when others come or go; but of a
label whose every content would be held out, the one with the greatest hash is there to train with.
"""

import hashlib
import os
import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fm.data.dataset import Dataset, Request
from fm.data.decoding import Allowance, BadImage, decode
from fm.data.folder_contents import Contents, FolderError, look_into, shown
from fm.data.formats import NOT_READ_SUFFIXES
from fm.data.splits import Elsewhere, LeftOut, Skipped, Splits

__all__ = ["FolderError", "ImageFolder", "load"]

NAMED = 20  # files that a message names
THREADS = 8
MAX_BYTES = 1_000_000_000
SPLIT_NAME = re.compile(r"(train|training|val|valid|validation|dev|eval|test|testing)([ _-]?set)?", re.IGNORECASE)


class ImageFolder(Dataset, name="image-folder", says="a folder of one's own images, a sub-folder for each label"):
    """`load` of this module.

    >>> Dataset.of("image-folder")
    ImageFolder()
    """

    def load(self, asked: Request) -> Splits:
        return load(asked.path, asked.size, asked.channels, asked.test_fraction, asked.skip_bad)


@dataclass(frozen=True)
class Found:
    """An image file: its path below the folder, in NFC, and its label's number (0 without labels).

    >>> Found("shoes/left.png", Path("data/shoes/left.png"), label=0).label
    0
    """

    name: str
    path: Path
    label: int


@dataclass(frozen=True, eq=False)
class Read:
    """A decoded file and the SHA-256 of its content.

    >>> found = Found("left.png", Path("data/left.png"), label=0)
    >>> Read(found, np.zeros((8, 8, 1), np.uint8), is_dim=False, digest=hashlib.sha256(b"").digest()).pixels.shape
    (8, 8, 1)
    """

    found: Found
    pixels: NDArray[np.uint8]
    is_dim: bool
    digest: bytes


def load(folder: Path, size: int, channels: int, test_fraction: float, skip_bad: bool) -> Splits:
    """Every image below `folder`, uint8 (N, size, size, channels), in the order of their names.

    Args:
        test_fraction: share of the contents held out.
        skip_bad: leave files out that cannot be used, instead of refusing the folder.

    Raises:
        FolderError: there is no such folder; images both beside and in sub-folders; files that cannot be used; too
            few images for two splits, or a label without one.
    """
    contents = look_into(folder)
    files, label_names = label(folder, contents)
    read, skipped = read_all(files, size, channels)
    if skipped and not skip_bad:
        raise cannot_be_used(folder, skipped, len(files))
    require_each_label(folder, label_names, read, skipped)
    test_digests = held_out(read, test_fraction)
    train = [one for one in read if one.digest not in test_digests]
    test = [one for one in read if one.digest in test_digests]
    if not train or not test:
        raise FolderError(
            f"{folder}: of {len(read)} images {len(train)} are to train and {len(test)} to test with: "
            "both must be there; add images, or change dataset.test_fraction"
        )
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
        left_out=tuple(LeftOut(*key, files) for key, files in sorted(contents.left_out.items())),
        elsewhere=tuple(
            Elsewhere(name, shown(place), images, by_folder)
            for (name, by_folder), (images, place) in sorted(contents.elsewhere.items())
        ),
        warnings=(*doubts(folder, contents, label_names), *dim(read), *under_two_labels(read)),
    )


def label(folder: Path, contents: Contents) -> tuple[list[Found], tuple[str, ...]]:
    """The image files of a folder, by name, and the label names that its sub-folders are."""
    if not contents.images:
        there = ", ".join(f"{files} {kind}" for (_, kind), files in sorted(contents.left_out.items())[:NAMED])
        raise FolderError(
            f"{folder}: there is no image in it (.png, .jpg, .webp or another that can be read)"
            + (f", but {there}" if there else "")
        )
    names = [name for name, _ in contents.images]
    label_names = sorted({name.split("/")[0] for name in names if "/" in name})
    beside = [name for name, path in contents.images if "/" not in name and is_read(path)]
    if label_names and beside:
        raise FolderError(
            f"{folder}: images both beside sub-folders ({shown(beside[0])}) and in them ({shown(label_names[0])}/): "
            "put each into the sub-folder of its label, or all into the folder itself"
        )
    numbers = {name: number for number, name in enumerate(label_names)}
    found = [Found(name, path, numbers.get(name.split("/")[0], 0)) for name, path in contents.images]
    return found, tuple(label_names)


def cannot_be_used(folder: Path, skipped: Sequence[Skipped], of: int) -> FolderError:
    listed = "".join(f"\n  {shown(one.file)}: {shown(one.reason)}" for one in skipped[:NAMED])
    more = f"\n  and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
    return FolderError(
        f"{folder}: {len(skipped)} of {of} images cannot be used:{listed}{more}\n"
        "Mend or remove them, or set dataset.on_bad_image: skip"
    )


def require_each_label(
    folder: Path, label_names: Sequence[str], read: Sequence[Read], skipped: Sequence[Skipped]
) -> None:
    """Raise FolderError where nothing is left of a label: it is not to vanish with its images."""
    missing = set(range(len(label_names))) - {one.found.label for one in read}
    if missing:
        names = ", ".join(shown(label_names[number]) for number in sorted(missing))
        why = next(one for one in skipped if one.file.split("/")[0] == label_names[min(missing)])
        raise FolderError(
            f"{folder}: no image of {names} can be used ({shown(why.file)}: {shown(why.reason)}); "
            "add some that can, or remove the sub-folder"
        )


def doubts(folder: Path, contents: Contents, label_names: Sequence[str]) -> list[str]:
    """What labels may not have been meant as such."""
    said = []
    splits = [name for name in label_names if SPLIT_NAME.fullmatch(name)]
    if len(splits) > 1 or (splits and len(label_names) == 1):
        training = next((name for name in splits if name.lower().startswith("train")), splits[0])
        said.append(
            f"the sub-folders {', '.join(splits)} are taken for labels. If they are splits, set dataset.path to "
            f"{folder / training}, or merge them label by label: the test split is made here"
        )
    elif len(label_names) == 1 and all(name.count("/") > 1 for name, _ in contents.images):
        inner = sorted({shown(name.split("/")[1]) for name, _ in contents.images})
        some = ", ".join(inner[:3]) + (", ..." if len(inner) > 3 else "")
        said.append(
            f"{shown(label_names[0])} is the only label, and all images are in its sub-folders ({some}). "
            f"If these are the labels, set dataset.path to {folder / shown(label_names[0])}"
        )
    empty = sorted(contents.folders - set(label_names))
    if empty:
        more = f" and {len(empty) - NAMED} more" if len(empty) > NAMED else ""
        said.append(f"no label, since no image is in it: {', '.join(map(shown, empty[:NAMED]))}{more}")
    return said


def dim(read: Sequence[Read]) -> list[str]:
    names = [shown(one.found.name) for one in read if one.is_dim]
    if not names:
        return []
    return [
        f"{len(names)} images of 16 bits have no value above 4095, such as {names[0]}: they are nearly black. "
        "If they have 12 bits, multiply their values by 16"
    ]


def under_two_labels(read: Sequence[Read]) -> list[str]:
    """What labels contradict each other, as where one is a link to another."""
    first: dict[bytes, Found] = {}
    pairs = [(first.setdefault(one.digest, one.found), one.found) for one in read]
    doubled = [(one, other) for one, other in pairs if one.label != other.label]
    if not doubled:
        return []
    some = " and ".join(shown(found.name) for found in doubled[0])
    return [f"{len(doubled)} images are under another label too, such as {some}: two names for the same"]


def is_read(path: Path) -> bool:
    return path.suffix.lower() not in NOT_READ_SUFFIXES


def read_all(files: list[Found], size: int, channels: int) -> tuple[list[Read], list[Skipped]]:
    """Each file decoded, or left out with the reason, in the order given."""
    at_once = Allowance(MAX_BYTES)

    def read(found: Found) -> Read | Skipped:
        try:
            if not is_read(found.path):
                raise BadImage(f"{found.path.suffix.lower()} is a format that is not read here; save it as PNG or JPEG")
            if (length := found.path.stat().st_size) > MAX_BYTES:
                raise BadImage(f"a file of {length:,} bytes, more than {MAX_BYTES:,}")
            with at_once.of(length):
                content = found.path.read_bytes()
                return Read(found, *decode(content, size, channels), hashlib.sha256(content).digest())
        except OSError as error:
            return Skipped(found.name, error.strerror or str(error))
        except BadImage as error:
            return Skipped(found.name, str(error))

    # Pillow lets go of Python's lock while it decodes and resizes.
    with warnings.catch_warnings(), ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")  # of files that are damaged or large: what matters is refused anyway
        results = list(pool.map(read, files))
    return [one for one in results if isinstance(one, Read)], [one for one in results if isinstance(one, Skipped)]


def held_out(read: Sequence[Read], fraction: float) -> set[bytes]:
    """The contents of the test split: those whose SHA-256, read as a number in [0, 1), is below `fraction`.

    The greatest of each label stays to train with. So a content that is held out stays so when others are added; only
    one that was kept back from the test split of its label may come into it. A content of several labels is kept back
    where one of them needs it.
    """
    limit = fraction * 2**64
    greatest: dict[int, bytes] = {}
    for one in read:
        greatest[one.found.label] = max(one.digest, greatest.get(one.found.label, b""))
    below = {one.digest for one in read if int.from_bytes(one.digest[:8], "big") < limit}
    return below - set(greatest.values())
