"""A folder of your own images: a sub-folder for each label, or none at all.

What is in the test split is decided by each file's content alone (fm.data.collecting). Captions are found by
fm.data.folder_captions.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fm.data.caption_reading import NOTHING
from fm.data.collecting import NAMED, some
from fm.data.folder_captions import FolderCaptions
from fm.data.folder_contents import TEXT, TOP, Contents, FolderError, look_into, shown
from fm.data.formats import NOT_READ_SUFFIXES, SUFFIXES
from fm.data.listing import File, FileDataset, Listing, Part
from fm.data.splits import Elsewhere, LeftOut

__all__ = ["FolderError", "ImageFolder"]

PART = 2000  # files that are read together
SPLIT_NAME = re.compile(r"(train|training|val|valid|validation|dev|eval|test|testing)([ _-]?set)?", re.IGNORECASE)


class ImageFolder(FileDataset, name="image-folder", says="a folder of one's own images, a sub-folder for each label"):
    """Every image below a folder, in the order of their names.

    >>> FileDataset.of("image-folder")
    ImageFolder()
    """

    suffixes: ClassVar = SUFFIXES

    def listing(self, path: Path, mixed: bool = False) -> Listing:
        """Raises FolderError: there is no such folder, or images both beside and in sub-folders."""
        contents = look_into(path)
        captions = FolderCaptions.of(contents)
        contents.left_out.update((label_of(text) or TOP, TEXT) for text in captions.unused)
        files, label_names = label(path, contents, captions)
        if mixed:
            files.sort(key=lambda file: hashlib.sha256(file.name.encode()).digest())
        return Listing(
            origin=str(path),
            parts=[Files(tuple(files[start : start + PART])) for start in range(0, len(files), PART)],
            labels=label_names,
            has_each=True,
            left_out=tuple(LeftOut(*key, files) for key, files in sorted(contents.left_out.items())),
            elsewhere=tuple(
                Elsewhere(name, shown(place), images, by_folder)
                for (name, by_folder), (images, place) in sorted(contents.elsewhere.items())
            ),
            warnings=tuple(doubts(path, contents, label_names)),
            caption_faults=captions.faults,
        )


@dataclass(frozen=True)
class Files(Part):
    """Some image files.

    >>> len(list(Files((File("left.png", path=Path("data/left.png")),)).read()))
    1
    """

    files: tuple[File, ...]

    def count(self) -> int:
        return len(self.files)

    def read(self) -> Iterator[File]:
        return iter(self.files)


def label(folder: Path, contents: Contents, captions: FolderCaptions) -> tuple[list[File], tuple[str, ...]]:
    """The image files of a folder, by name, and the label names that its sub-folders are."""
    if not contents.images:
        there = ", ".join(f"{files} {kind}" for (_, kind), files in sorted(contents.left_out.items())[:NAMED])
        raise FolderError(
            f"{folder}: there is no image in it (.png, .jpg, .webp or another that can be read)"
            + (f", but {there}" if there else "")
        )
    names = [name for name, _ in contents.images]
    label_names = sorted({first for name in names if (first := label_of(name))})
    beside = [name for name, path in contents.images if "/" not in name and is_read(path)]
    if label_names and beside:
        raise FolderError(
            f"{folder}: images both beside sub-folders ({shown(beside[0])}) and in them ({shown(label_names[0])}/): "
            "put each into the sub-folder of its label, or all into the folder itself"
        )
    found = [
        File(name, label_of(name), captions.said.get(name, NOTHING), path=path, beside=captions.beside.get(name))
        for name, path in contents.images
    ]
    return found, tuple(label_names)


def label_of(name: str) -> str | None:
    """The first sub-folder that a file is in."""
    return name.split("/")[0] if "/" in name else None


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
        few = ", ".join(inner[:3]) + (", ..." if len(inner) > 3 else "")
        said.append(
            f"{shown(label_names[0])} is the only label, and all images are in its sub-folders ({few}). "
            f"If these are the labels, set dataset.path to {folder / shown(label_names[0])}"
        )
    empty = sorted(contents.folders - set(label_names))
    if empty:
        said.append(f"no label, since no image is in it: {some(empty)}")
    return said


def is_read(path: Path) -> bool:
    return path.suffix.lower() not in NOT_READ_SUFFIXES
