"""From your own files to two splits: what each gives, what is refused or left out, and what is held out."""

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fm.data import caption_reading, collecting
from fm.data.captions import Packed, as_lines
from fm.data.coded import CodedSplits
from fm.data.collecting import THREADS, counted, held_out, some
from fm.data.dataset import Request
from fm.data.decoding import BadImage
from fm.data.folder_contents import TOP, FolderError
from fm.data.listing import File
from fm.data.own_files import Found
from fm.data.rows import Arrays
from fm.data.splits import LeftOut, Skipped
from fm.data.sums import sha256
from fm.errors import UserError

if TYPE_CHECKING:
    from fm.codecs import Codec


@dataclass(frozen=True, eq=False)
class Taken:
    """What a file gives.

    Attributes:
        file: that it is.
        data: (n, *stored), n at least 1.
        digest: SHA-256 of its content.
        about: what else is known of each datum, (n, ...), by field.
        is_test: bool (n,), which of them test; none where that is the file's to say.

    >>> one = Taken(File("dog/a.gif", "dog"), np.zeros((2, 16, 8, 8, 3), np.uint8), b"...", {"begins": np.zeros(2)})
    >>> len(one.data)
    2
    """

    file: File
    data: NDArray[Any]
    digest: bytes
    about: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    is_test: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Unfit:
    """A file that is whole and of no use, as a video that is too short: it is counted and named, and stops nothing.

    Attributes:
        why: of a kind, as "too short".
        exactly: of this one, as "9 frames".

    >>> Unfit(File("a.gif"), "too short for 16 frames", "9").why
    'too short for 16 frames'
    """

    file: File
    why: str
    exactly: str


@contextmanager
def damaged_otherwise(path: Path) -> Iterator[None]:
    """Raises BadImage for whatever goes wrong in a file's decoder, but what the system and UserErrors say. Where the
    file lies on this machine is no part of that: it goes into records.

    >>> with damaged_otherwise(Path("a.npy")):
    ...     int("twelve")
    Traceback (most recent call last):
    fm.data.decoding.BadImage: invalid literal for int() with base 10: 'twelve'
    """
    try:
        yield
    except (BadImage, UserError):
        raise
    except Exception as error:  # decoders of damaged files raise whatever they run into
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BadImage(" ".join(str(error).replace(str(path), path.name).split()) or type(error).__name__) from None


def taken_from(
    found: Found, read: Callable[[File], Taken | Unfit], together: bool = True
) -> list[Taken | Unfit | Skipped]:
    """What each file gives, in their order; those that raise OSError or BadImage are skipped.

    Args:
        together: several at once, where a format's library can.
    """

    def one(file: File) -> Taken | Unfit | Skipped:
        try:
            return read(file)
        except BadImage as error:
            return Skipped(file.name, str(error))
        except OSError as error:
            return Skipped(file.name, error.strerror or str(error))

    threads = min(THREADS, os.cpu_count() or 1) if together else 1
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.simplefilter("ignore")  # of files that are damaged or large: what matters is refused anyway
        return list(pool.map(one, found.files))


def put_together(
    found: Found,
    each: Sequence[Taken | Unfit | Skipped],
    codec_of: Callable[[Arrays], "Codec"],
    asked: Request,
    further: Iterable[str] = (),
) -> CodedSplits:
    """Both splits, with `label` beside the data where there are labels, `file`, and what else is known of each datum.

    Args:
        codec_of: gives the codec of the training data.
        further: warnings of the dataset's own.

    Raises:
        FolderError: files that cannot be used, unless they may be skipped; nothing to train or to test with; a label
            that no file is left of, or none to train with.
    """
    from fm.conditions import Labels, Unconditional  # whoever only asks what datasets there are needs no networks

    skipped = [one for one in each if isinstance(one, Skipped)]
    unfit = [one for one in each if isinstance(one, Unfit)]
    taken = [one for one in each if isinstance(one, Taken)]
    if skipped and not asked.skip_bad:
        raise collecting.cannot_be_used(str(found.folder), skipped, len(each), found.what)
    if not taken:
        raise FolderError(f"{found.folder}: none of its {found.what} can be used: {'; '.join(reasons(skipped, unfit))}")
    names = tuple(name for name in found.labels if any(one.file.label == name for one in taken))
    if missing := [name for name in found.labels if name not in names]:
        why = "; ".join(reasons(skipped, unfit))
        raise FolderError(f"{found.folder}: no {found.what} are left of {some(missing)}: {why}")
    digests = held_out(((one.file.label, one.digest) for one in taken), asked.test_fraction)
    tests = [tests_of(found, one, digests) for one in taken]
    train, test = (rows_of(taken, [one == split for one in tests], names) for split in (False, True))
    if train is None or test is None:
        raise FolderError(
            f"{found.folder}: all that is in it is to {'test' if train is None else 'train'} with, and both splits "
            f"must have something: add {found.what}, hold out another share, or make folders train/ and test/"
        )
    require_each(found, names, train)
    said = [(one.file.name, one.file.captions()) for one in taken]
    any_caption = any(about.captions for _, about in said)
    faults = caption_reading.of_images(((name, *counted(about)) for name, about in said), missing=any_caption)
    return CodedSplits(
        train,
        test,
        codec_of(train),
        Labels(names) if names else Unconditional(),
        origin=str(found.folder),
        train_files=tuple(train.column("file")),
        test_files=tuple(test.column("file")),
        skipped=tuple(skipped),
        left_out=collecting.summed([*found.left_out, *(LeftOut(one.file.label or TOP, one.why, 1) for one in unfit)]),
        warnings=(*found.warnings, *named(unfit, found.what), *further),
        caption_faults=caption_reading.summed([*found.caption_faults, *faults]),
    )


def require_each(found: Found, names: Sequence[str], train: Arrays) -> None:
    """Raises FolderError: nothing is to train with of a label, of which a network would never see anything."""
    if not names:
        return
    seen = set(train.column("label").tolist())
    if missing := [name for number, name in enumerate(names) if number not in seen]:
        raise FolderError(
            f"{found.folder}: no {found.what} of {some(missing)} are to train with, all are to test with: add "
            f"{found.what}, hold out another share, or make folders train/ and test/ with each label in train/"
        )


def reasons(skipped: Sequence[Skipped], unfit: Sequence[Unfit]) -> list[str]:
    """Why files are not used, each reason once, with a file."""
    why = {one.reason: one.file for one in reversed(skipped)}
    why |= {f"{one.why} ({one.exactly})": one.file.name for one in reversed(unfit)}
    return [f"{file}: {reason}" for reason, file in list(why.items())[:3]]


def named(unfit: Sequence[Unfit], what: str) -> Iterator[str]:
    """What to say of files that are of no use."""
    for why in dict.fromkeys(one.why for one in unfit):
        those = [f"{one.file.name} ({one.exactly})" for one in unfit if one.why == why]
        yield f"{len(those):,} {what} are left out, {why}: {some(those)}"


def tests_of(found: Found, one: Taken, digests: set[bytes]) -> NDArray[np.bool_]:
    if (as_made := found.tests(one.file.name)) is not None:
        return np.full(len(one.data), as_made)
    return np.full(len(one.data), one.digest in digests) if one.is_test is None else one.is_test


def rows_of(taken: Sequence[Taken], chosen: Sequence[NDArray[np.bool_]], labels: Sequence[str]) -> Arrays | None:
    """The data of each file that are chosen, bool (n,); none where none is."""
    counts = [int(mask.sum()) for mask in chosen]
    if not sum(counts):
        return None
    files = [one.file for one, count in zip(taken, counts, strict=True) for _ in range(count)]
    longest = max(len(one.file.name) for one in taken)
    numbers = {name: number for number, name in enumerate(labels)}
    fields = {"data": np.concatenate([one.data[mask] for one, mask in zip(taken, chosen, strict=True)])}
    if labels:
        fields["label"] = np.array([numbers[file.label or ""] for file in files], dtype=np.int64)
    for name in taken[0].about:
        fields[name] = np.concatenate([one.about[name][mask] for one, mask in zip(taken, chosen, strict=True)])
    fields["file"] = np.array([file.name for file in files], dtype=f"<U{longest}")
    captions = {one.file.name: one.file.captions().captions for one in taken}
    any_caption = any(captions.values())  # both splits have texts, or none has
    return Arrays(fields, Packed.of(as_lines(captions[file.name]) for file in files) if any_caption else None)


def digest(path: Path) -> bytes:
    """SHA-256 of a file; of a folder that is one datum, of all its files and their names. Raises OSError."""
    if path.is_file():
        return bytes.fromhex(sha256(path))
    found = hashlib.sha256()
    for one in sorted(path.rglob("*")):
        if one.is_file():
            found.update(f"{one.relative_to(path).as_posix()} {sha256(one)}\n".encode())
    return found.digest()
