"""From files to decoded images: what is refused or left out, and what is held out.

What is in the test split is decided by each file's content alone, so it stays there when others come or go; but of a
label whose every content would be held out, the one with the greatest hash is there to train with.
"""

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fm.data import caption_reading
from fm.data.caption_reading import Said
from fm.data.dataset import Request
from fm.data.decoding import Allowance, BadImage, decode
from fm.data.folder_contents import FolderError, shown
from fm.data.formats import NOT_READ_SUFFIXES
from fm.data.listing import Item, Listing, Part, label_order
from fm.data.splits import LeftOut, Skipped, Splits

NAMED = 20  # files that a message names
THREADS = 8
TOGETHER = 256  # images that are decoded before the next are looked for
MAX_BYTES = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Read:
    """A decoded image and the SHA-256 of its file's content.

    >>> Read("left.png", "shoes", Said(), np.zeros((8, 8, 1), np.uint8), False, hashlib.sha256(b"").digest()).label
    'shoes'
    """

    name: str
    label: str | None
    said: Said
    pixels: NDArray[np.uint8]
    is_dim: bool
    digest: bytes


Found = Read | Skipped | LeftOut


def collected(listing: Listing, asked: Request) -> Splits:
    """All images of a listing in memory, uint8 (N, size, size, channels), in its order.

    Raises:
        FolderError: images that cannot be used, unless they may be skipped; too few for two splits, or a label without
            one.
    """
    found = [one for part in listing.parts for one in read_part(part, asked.size, asked.channels)]
    read = [one for one in found if isinstance(one, Read)]
    skipped = [one for one in found if isinstance(one, Skipped)]
    if skipped and not asked.skip_bad:
        raise cannot_be_used(listing.origin, skipped, len(read) + len(skipped))
    names = label_order(listing.labels, {one.label for one in read if one.label is not None})
    said = [*listing.warnings, *missing_labels(listing, names, skipped), *dim([one.name for one in read if one.is_dim])]
    require_a_label_each(listing.origin, names, [one.name for one in read if one.label is None])
    test_digests = held_out(((one.label, one.digest) for one in read), asked.test_fraction)
    train = [one for one in read if one.digest not in test_digests]
    test = [one for one in read if one.digest in test_digests]
    require_both(listing.origin, len(train), len(test))
    numbers = {name: number for number, name in enumerate(names)}
    any_caption = any(one.said.captions for one in read)
    faults = caption_reading.of_images(((one.name, *counted(one.said)) for one in read), missing=any_caption)
    return Splits(
        train_images=np.stack([one.pixels for one in train]),
        train_labels=np.array([numbers.get(one.label or "", 0) for one in train], dtype=np.int64),
        test_images=np.stack([one.pixels for one in test]),
        test_labels=np.array([numbers.get(one.label or "", 0) for one in test], dtype=np.int64),
        label_names=names,
        train_texts=texts(train) if any_caption else (),
        test_texts=texts(test) if any_caption else (),
        origin=listing.origin,
        train_files=tuple(one.name for one in train),
        test_files=tuple(one.name for one in test),
        skipped=tuple(skipped),
        left_out=summed([*listing.left_out, *(one for one in found if isinstance(one, LeftOut))]),
        elsewhere=listing.elsewhere,
        caption_faults=caption_reading.summed([*listing.caption_faults, *faults]),
        warnings=(*said, *under_two_labels(lambda: ((one.name, one.label, one.digest) for one in read))),
    )


def texts(read: Sequence[Read]) -> tuple[tuple[str, ...], ...]:
    return tuple(one.said.captions for one in read)


def counted(said: Said) -> tuple[int, tuple[str, ...]]:
    return len(said.captions), said.faults


def read_part(part: Part, size: int, channels: int) -> Iterator[Found]:
    """Its images decoded, or skipped with the reason, in its order."""
    # Pillow lets go of Python's lock while it decodes and resizes.
    with warnings.catch_warnings(), ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")  # of files that are damaged or large: what matters is refused anyway
        at_once = Allowance(MAX_BYTES)
        items = part.read()
        while together := list(islice(items, TOGETHER)):
            yield from pool.map(lambda one: read(one, size, channels, at_once), together)


def read(item: Item | Skipped | LeftOut, size: int, channels: int, at_once: Allowance) -> Found:
    if not isinstance(item, Item):
        return item
    try:
        suffix = Path(item.name).suffix.lower()
        if suffix in NOT_READ_SUFFIXES:
            raise BadImage(f"{suffix} is a format that is not read here; save it as PNG or JPEG")
        if (length := item.length()) > MAX_BYTES:
            raise BadImage(f"a file of {length:,} bytes, more than {MAX_BYTES:,}")
        with at_once.of(length):
            content = item.content()
            pixels, is_dim = decode(content, size, channels)
            return Read(item.name, item.label, item.captions(), pixels, is_dim, hashlib.sha256(content).digest())
    except OSError as error:
        return Skipped(item.name, error.strerror or str(error))
    except BadImage as error:
        return Skipped(item.name, str(error))


def held_out(contents: Iterable[tuple[str | None, bytes]], fraction: float) -> set[bytes]:
    """The contents of the test split: those whose SHA-256, read as a number in [0, 1), is below `fraction`.

    The greatest of each label stays to train with. So a content that is held out stays so when others are added; only
    one that was kept back from the test split of its label may come into it. A content of several labels is kept back
    where one of them needs it.

    Args:
        contents: label and SHA-256 of each image.
    """
    below = set()
    greatest: dict[str | None, bytes] = {}
    for label, digest in contents:
        greatest[label] = max(digest, greatest.get(label, b""))
        if is_below(digest, fraction):
            below.add(digest)
    return below - set(greatest.values())


def is_below(digest: bytes, fraction: float) -> bool:
    return int.from_bytes(digest[:8], "big") < fraction * 2**64


def cannot_be_used(origin: str, skipped: Sequence[Skipped], of: int, what: str = "images") -> FolderError:
    listed = "".join(f"\n  {shown(one.file)}: {shown(one.reason)}" for one in skipped[:NAMED])
    more = f"\n  and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
    return FolderError(
        f"{origin}: {len(skipped)} of {of} {what} cannot be used:{listed}{more}\n"
        "Mend or remove them, or set dataset.on_bad_image: skip"
    )


def missing_labels(listing: Listing, names: Sequence[str], skipped: Sequence[Skipped]) -> list[str]:
    """What to say of labels that no image is left of. Raises FolderError where a label is not to vanish with them."""
    missing = [name for name in listing.labels if name not in set(names)]
    if missing and listing.has_each:
        why = next(one for one in skipped if one.file.split("/")[0] == missing[0])
        raise FolderError(
            f"{listing.origin}: no image of {', '.join(map(shown, missing))} can be used ({shown(why.file)}: "
            f"{shown(why.reason)}); add some that can, or remove the sub-folder"
        )
    return [f"no label, since no image has it: {some(missing)}"] if missing else []


def require_a_label_each(origin: str, names: Sequence[str], without: Sequence[str]) -> None:
    if names and without:
        raise FolderError(
            f"{origin}: {len(without)} images have no label and others have: {some(without)}; label all or none"
        )


def require_both(origin: str, train: int, test: int) -> None:
    if not train or not test:
        raise FolderError(
            f"{origin}: of {train + test} images {train} are to train and {test} to test with: "
            "both must be there; add images, or change dataset.test_fraction"
        )


def dim(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return [
        f"{len(names)} images of 16 bits have no value above 4095, such as {shown(names[0])}: they are nearly black. "
        "If they have 12 bits, multiply their values by 16"
    ]


def under_two_labels(images: Callable[[], Iterable[tuple[str, str | None, bytes]]]) -> list[str]:
    """What labels contradict each other, as where one is a link to another.

    Args:
        images: gives name, label and SHA-256 of each, as often as it is called: they may be more than fit in memory.
    """
    numbers: dict[str | None, int] = {}
    found = np.fromiter(
        ((int.from_bytes(digest[:8]), numbers.setdefault(label, len(numbers))) for _, label, digest in images()),
        dtype=[("content", np.uint64), ("label", np.int64)],
    )
    order = np.argsort(found["content"], kind="stable")
    contents, labels = found["content"][order], found["label"][order]
    first = np.searchsorted(contents, contents)  # of all that have this content
    places = np.flatnonzero(labels != labels[first])
    if not len(places):
        return []
    earliest = places[np.argmin(order[places])]
    example = {int(order[first[earliest]]), int(order[earliest])}
    names = [shown(name) for number, (name, _, _) in enumerate(images()) if number in example]
    return [f"{len(places)} images are under another label too, such as {' and '.join(names)}: two names for the same"]


def summed(left_out: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """One for each label and kind."""
    counts: dict[tuple[str, str], int] = {}
    for one in left_out:
        counts[one.label, one.kind] = counts.get((one.label, one.kind), 0) + one.files
    return tuple(LeftOut(*key, files) for key, files in sorted(counts.items()))


def some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(map(shown, names[:NAMED]))}{more}"
