"""Tar files of samples, as img2dataset and others write them: `000000001.jpg` beside `.txt`, `.json` and `.cls`.

Members whose names are equal up to the first dot of their last part are one sample, and lie together. Of a sample are
read: the first image; the label, from `.cls` or from `label` in `.json`; the captions, from `.txt` or else from
`caption` and the like in `.json`.

Source: https://github.com/webdataset/webdataset, https://github.com/rom1504/img2dataset
"""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fm.data.caption_reading import said_in_file, said_in_row
from fm.data.folder_contents import shown
from fm.data.formats import SUFFIXES
from fm.data.listing import FileDataset, Held, Item, Listing, Part, as_label, files_below
from fm.data.splits import LeftOut, Skipped

SUFFIX = ".tar"
LABEL, TEXT, MORE = "cls", "txt", "json"
NO_IMAGE = "samples without an image"


class WebDataset(
    FileDataset,
    name="webdataset",
    says="tar files of images with their labels and texts, as img2dataset writes them",
    source="https://github.com/webdataset/webdataset",
):
    """Every sample of the tar files below a folder, in the order of their names.

    >>> FileDataset.of("webdataset")
    WebDataset()
    """

    def listing(self, path: Path, mixed: bool = False) -> Listing:
        """Raises FolderError: there is no tar file."""
        return Listing(str(path), [Tar(file) for file in files_below(path, SUFFIX)])


@dataclass(frozen=True)
class Tar(Part):
    """The samples of a tar file.

    >>> Tar(Path("data/00000.tar")).path.name
    '00000.tar'
    """

    path: Path

    def count(self) -> int:
        """By the names in the tar file, without reading the images."""
        try:
            with tarfile.open(self.path) as tar:
                return sum(PurePosixPath(member.name).suffix.lower() in SUFFIXES for member in tar)
        except (tarfile.TarError, OSError, EOFError):  # which is told when it is read
            return 0

    def read(self) -> Iterator[Item | Skipped | LeftOut]:
        key, sample = "", dict[str, bytes]()
        try:
            with tarfile.open(self.path, "r|*") as tar:
                for member in tar:
                    if not member.isfile() or PurePosixPath(member.name).name.startswith("."):
                        continue
                    name, ending = parted(member.name)
                    if sample and name != key:
                        yield from self._item(key, sample)
                        sample = {}
                    file = tar.extractfile(member)
                    assert file is not None
                    key, sample[ending] = name, file.read()
        except (tarfile.TarError, OSError, EOFError) as error:
            yield Skipped(self.path.name, f"damaged after {shown(key) or 'its beginning'}: {error}")
        if sample:
            yield from self._item(key, sample)

    def _item(self, key: str, sample: dict[str, bytes]) -> Iterator[Item | Skipped | LeftOut]:
        name = f"{self.path.name}/{key}"
        ending = next((ending for ending in sample if f".{ending.rpartition('.')[2]}" in SUFFIXES), None)
        if ending is None:
            yield LeftOut(self.path.name, NO_IMAGE, 1)
            return
        try:
            more = json.loads(sample.get(MORE, b"{}"))
        except (ValueError, RecursionError) as error:
            yield Skipped(f"{name}.{MORE}", f"no JSON: {error}")
            return
        more = more if isinstance(more, dict) else {}
        yield Held(
            f"{name}.{ending}",
            label=as_label(in_words(sample[LABEL]) if LABEL in sample else more.get("label")),
            said=said_in_file(sample[TEXT]) if TEXT in sample else said_in_row(more),
            held=sample[ending],
        )


def parted(name: str) -> tuple[str, str]:
    """A member's name up to the first dot of its last part, and what follows, in lower case.

    >>> parted("a.b/0001.seg.PNG")
    ('a.b/0001', 'seg.png')
    """
    folder, slash, last = name.rpartition("/")
    stem, _, ending = last.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def in_words(content: bytes) -> str:
    return content.decode("utf-8", errors="replace").strip()
