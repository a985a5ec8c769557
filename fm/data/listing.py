"""Images where people have them: what there is to read, cut into parts that can be read independently of each other.

A dataset of files lists what it has (Listing). Its images are then decoded all at once, into arrays
(fm.data.collecting), or part by part, into shards (fm.data.sharding): by the same rules.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from fm.data.caption_reading import LONG, MOST_BYTES, NOT_READ, NOTHING, Fault, Said, said_in_file
from fm.data.dataset import Dataset, Request
from fm.data.folder_contents import FolderError
from fm.data.splits import Elsewhere, LeftOut, Skipped, Splits


@dataclass(frozen=True)
class Item(ABC):
    """An image that is not decoded yet.

    Attributes:
        name: for people: path below the folder, or the file that it is in and its place there.
        label: None where it has none.
        said: what is written about it, as far as it is known already.

    >>> isinstance(Held("00000.tar/000000001.jpg", held=b"..."), Item)
    True
    """

    name: str
    label: str | None = None
    said: Said = NOTHING

    @abstractmethod
    def length(self) -> int:
        """In bytes. Raises OSError."""

    @abstractmethod
    def content(self) -> bytes:
        """The file of this image. Raises OSError."""

    def captions(self) -> Said:
        """All that is written about it."""
        return self.said


@dataclass(frozen=True)
class File(Item):
    """An image that is a file.

    Attributes:
        beside: the text file with its captions, if it has one.

    >>> File("shoes/left.png", "shoes", path=Path("data/shoes/left.png")).label
    'shoes'
    """

    path: Path = Path()
    beside: Path | None = None

    def length(self) -> int:
        return self.path.stat().st_size

    def content(self) -> bytes:
        return self.path.read_bytes()

    def captions(self) -> Said:
        if self.beside is None:
            return self.said
        try:
            if self.beside.stat().st_size > MOST_BYTES:
                return self.said.and_also(Said(faults=(LONG,)))
            return self.said.and_also(said_in_file(self.beside.read_bytes()))
        except OSError:
            return self.said.and_also(Said(faults=(NOT_READ,)))


@dataclass(frozen=True)
class Held(Item):
    """An image whose file is in memory already.

    >>> Held("00000.tar/000000001.jpg", said=Said(("a red shoe",)), held=b"...").length()
    3
    """

    held: bytes = b""

    def length(self) -> int:
        return len(self.held)

    def content(self) -> bytes:
        return self.held


class Part(ABC):
    """Some of a dataset's images, which another process can read by itself: it is pickled for it.

    >>> from fm.data.image_folder import Files
    >>> isinstance(Files(()), Part)
    True
    """

    @abstractmethod
    def count(self) -> int:
        """How many images there are, more or less, without reading them."""

    @abstractmethod
    def read(self) -> Iterator[Item | Skipped | LeftOut]:
        """Its images, in an order that is always the same, and what is none or cannot be had."""


@dataclass(frozen=True)
class Listing:
    """What a dataset of files has.

    Attributes:
        origin: for people, where it lies.
        parts: all images, each in one of them.
        labels: names that are known beforehand, in their order; others come after them, sorted.
        has_each: whether a label of these without an image is a mistake.
        left_out, elsewhere, warnings: as in Splits, as far as they are known without reading the images.
        caption_faults: likewise, one by one.

    >>> Listing("pictures", parts=()).labels
    ()
    """

    origin: str
    parts: Sequence[Part]
    labels: tuple[str, ...] = ()
    has_each: bool = False
    left_out: tuple[LeftOut, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    warnings: tuple[str, ...] = ()
    caption_faults: tuple[Fault, ...] = ()

    def has_more_than(self, count: int) -> bool:
        """Whether there are more images than that, more or less."""
        counts = accumulate(part.count() for part in self.parts)
        return any(so_far > count for so_far in counts)


class FileDataset(Dataset):
    """A dataset of images in files, which can be prepared as arrays and as shards.

    >>> isinstance(Dataset.of("webdataset"), FileDataset)
    True
    """

    @abstractmethod
    def listing(self, path: Path, mixed: bool = False) -> Listing:
        """What lies at `path`, without decoding it.

        Args:
            mixed: in an order in which images of one label do not lie together, where that costs nothing.

        Raises:
            FolderError: there is nothing that can be used.
        """

    def load(self, asked: Request) -> Splits:
        from fm.data.collecting import collected

        return collected(self.listing(asked.path), asked)


def files_below(path: Path, suffix: str) -> list[Path]:
    """A file, or all of that suffix below a folder, by name. Raises FolderError if there is none."""
    if path.is_file() and path.suffix == suffix:
        return [path]
    if not path.is_dir():
        raise FolderError(f"{path}: must be a {suffix} file or a folder of them")
    files = sorted(found for found in path.rglob(f"*{suffix}") if found.is_file() and not found.name.startswith("."))
    if not files:
        raise FolderError(f"{path}: there is no {suffix} file in it")
    return files


def as_label(value: Any) -> str | None:
    """The name of a label; none where there is no value."""
    return None if value is None or value == "" else str(value)


def label_order(known: Sequence[str], seen: set[str]) -> tuple[str, ...]:
    """Names of labels in the order of their numbers: those that are known beforehand, then the others.

    >>> label_order(["shoe", "bag", "hat"], {"bag", "10", "2"})
    ('bag', '2', '10')
    """
    others = seen.difference(known)
    numbers = all(name.isascii() and name.isdigit() for name in others)
    return (*(name for name in known if name in seen), *sorted(others, key=int if numbers else str))
