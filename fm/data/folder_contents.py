"""What lies below a folder of images, or of other data in files. Every file is looked at once; links are followed.

What nothing that hashes, copies or prints the folder could cope with is refused: names that are not UTF-8, links to
nowhere or in a circle, and what would keep its reader waiting.
"""

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fm.data.formats import SUFFIXES
from fm.errors import UserError

MAX_DEPTH = 100
SPECIAL = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
TOP = "."
TEXT = ".txt"
METADATA = ("metadata.jsonl", "metadata.csv")
TOOLS = frozenset(
    {
        "__macosx",
        "__pycache__",
        "@eadir",
        "@recycle",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "lost+found",
    }
)
"""Folders that tools leave behind, in lower case, beside those that are hidden."""


STORE = ".zarr"
"""The suffix of a folder that is one datum, as a file is, where such are looked for."""


class FolderError(UserError):
    """The folder, or something in it, cannot be used; the message names it."""


@dataclass(frozen=True)
class Place:
    """A folder below the first one, or that itself.

    Attributes:
        name: its path below the first folder; empty for that itself.
        real: its path without links.
        above: device and inode of it and of the folders that lead to it.
        label: the first part of its name, TOP for the first folder itself.
        by_link: whether a link to a folder leads out of the first folder and to it.
        no_images: why nothing in it is an image; empty for where images are.

    >>> below(Place("shoes/old", "/data/shoes/old", frozenset(), label="shoes"), "left.png")
    'shoes/old/left.png'
    """

    name: str
    real: str
    above: frozenset[tuple[int, int]]
    label: str = TOP
    by_link: bool = False
    no_images: str = ""


@dataclass
class Contents:
    """What is below a folder.

    Attributes:
        images: path below the folder, in Unicode's NFC, and path; sorted. One file system gives the same name composed
            and another not. They are files of other data where other suffixes are looked for.
        folders: first parts of the names that can be labels.
        texts, metadata: text files, by their names without the suffix, and files with rows about images.
        left_out: other files that are no images, by label and kind.
        elsewhere: images that links lead to outside of the folder, and the folder they have in common, by label and
            whether the link was one to a folder.

    >>> contents = Contents(images=[("shoes/left.png", Path("data/shoes/left.png"))], folders={"shoes"})
    >>> contents.left_out["shoes", ".txt"] += 1
    """

    images: list[tuple[str, Path]] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    texts: dict[str, Path] = field(default_factory=dict)
    metadata: list[tuple[str, Path]] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    elsewhere: dict[tuple[str, bool], tuple[int, str]] = field(default_factory=dict)


def look_into(folder: Path, suffixes: Collection[str] = SUFFIXES, what: str = "images") -> Contents:
    """Everything below `folder`.

    Args:
        suffixes: of the files that are looked for, in lower case; the longest that a name ends in is its own.
        what: they are called in messages.

    Raises:
        FolderError: there is no such folder, or something in it must be removed or renamed first.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: there is no such folder; dataset.path must be the folder with your {what}")
    contents = Contents()
    first = Place("", os.path.realpath(folder), frozenset({identity(folder)}))
    waiting = [first]
    while waiting:
        place = waiting.pop()
        try:
            for entry in entries(folder, place):
                refuse(folder, place, entry)
                if entry.is_dir() and not (STORE in suffixes and entry.name.lower().endswith(STORE)):
                    waiting += entered(folder, first, place, entry)
                else:
                    sort_in(contents, first, place, entry, suffixes)
        except OSError as error:
            raise FolderError(f"{shown(str(folder / place.name))}: cannot be read: {error.strerror}") from None
        if place.name == place.label and not place.no_images:
            contents.folders.add(composed(place.name))
    contents.images.sort()
    return contents


def entries(folder: Path, place: Place) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder / place.name) as found:
            yield from found
    except OSError:
        if not place.no_images:
            raise


def refuse(folder: Path, place: Place, entry: os.DirEntry[str]) -> None:
    """Raise FolderError for what must be removed or renamed."""
    name = below(place, entry.name)
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        raise FolderError(
            f"{folder}: the name {shown(name)} is not UTF-8; rename it and those like it, for instance with "
            f"`convmv -r -f latin1 -t utf8 --notest {folder}`"
        ) from None
    if what := special(entry):
        raise FolderError(f"{folder}: {shown(name)} is {what}; remove it")
    if name.count("/") > MAX_DEPTH:
        raise FolderError(f"{folder}: {shown(name)[:80]}... lies more than {MAX_DEPTH} folders deep; move it up")


def special(entry: os.DirEntry[str]) -> str | None:
    """What an entry is that is neither a file nor a folder."""
    try:
        if entry.is_file() or entry.is_dir():
            return None
        mode = entry.stat().st_mode
    except OSError as error:
        return f"a link to nowhere ({error.strerror})"
    return next((what for is_kind, what in SPECIAL.items() if is_kind(mode)), "of an unknown kind")


def entered(folder: Path, first: Place, place: Place, entry: os.DirEntry[str]) -> list[Place]:
    """A folder as a place to look into; none for a link in a folder where no images are."""
    linked = entry.is_symlink()
    no_images = place.no_images or (f"in {entry.name}/" if is_left_behind(entry.name) else "")
    if linked and no_images:
        return []
    name = below(place, entry.name)
    if (own := identity(entry)) in place.above:
        raise FolderError(f"{folder}: {shown(name)} is a loop: it leads back to a folder that it lies in; remove it")
    real = os.path.realpath(entry.path) if linked else f"{place.real}/{entry.name}"
    return [
        Place(
            name=name,
            real=real,
            above=place.above | {own},
            label=place.label if place.label != TOP or no_images else entry.name,
            by_link=place.by_link or (linked and not inside(first, real)),
            no_images=no_images,
        )
    ]


def is_left_behind(name: str) -> bool:
    return name.startswith(".") or name.lower() in TOOLS


def sort_in(contents: Contents, first: Place, place: Place, entry: os.DirEntry[str], suffixes: Collection[str]) -> None:
    """Count a file as an image, or as what it is instead."""
    hidden = "hidden" if entry.name.startswith(".") else ""
    suffix = suffix_of(entry.name, suffixes)
    about_images = suffix == TEXT or entry.name in METADATA
    if place.no_images or hidden or (suffix not in suffixes and not about_images):
        contents.left_out[composed(place.label), place.no_images or hidden or suffix or "without suffix"] += 1
        return
    name = composed(below(place, entry.name))
    if suffix == TEXT:
        without = name[: -len(TEXT)]
        contents.texts[without] = min(Path(entry.path), contents.texts.get(without, Path(entry.path)))
        return
    if about_images:
        contents.metadata.append((name, Path(entry.path)))
        return
    contents.images.append((name, Path(entry.path)))
    real = os.path.dirname(os.path.realpath(entry.path)) if entry.is_symlink() else place.real  # noqa: PTH120
    if not inside(first, real):
        key = composed(place.label), place.by_link
        count, common = contents.elsewhere.get(key, (0, real))
        contents.elsewhere[key] = count + 1, common if common == real else os.path.commonpath([common, real])


def suffix_of(name: str, suffixes: Collection[str]) -> str:
    """The longest of these suffixes that a name ends in, or else its own, in lower case.

    >>> suffix_of("scan.NII.gz", {".gz", ".nii.gz"}), suffix_of("scan.txt", {".nii"})
    ('.nii.gz', '.txt')
    """
    found = [suffix for suffix in suffixes if name.lower().endswith(suffix)]
    return max(found, key=len) if found else Path(name).suffix.lower()


def inside(first: Place, real: str) -> bool:
    return f"{real}/".startswith(f"{first.real.rstrip('/')}/")


def below(place: Place, name: str) -> str:
    return f"{place.name}/{name}" if place.name else name


def identity(of: Path | os.DirEntry[str]) -> tuple[int, int]:
    found = of.stat()
    return found.st_dev, found.st_ino


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def shown(name: str) -> str:
    r"""A name on one line, whatever its bytes are: what is not UTF-8, or cannot be printed, as \x..."""
    readable = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in readable)
