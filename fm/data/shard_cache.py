"""Where shards are read from: a folder that has them all, or one that holds the latest of a store's.

What is cached stays below a limit, whoever uses it: all processes of a machine share the folder, wait for each other's
downloads, and make room for what is new by removing what was not asked for for longest.

A shard is called by its SHA-256. Each process compares it once, when it first asks for the shard: nothing is trained on
what a disk has damaged.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, Self

from fm.data.shard_files import SUFFIX, Shard
from fm.data.sums import sha256
from fm.errors import UserError
from fm.s3 import Place

PARTIAL = ".partial"
LOCK = ".lock"
ABANDONED_SECONDS = 600  # without a byte: whoever downloaded it is no more
DOWNLOADS = 4  # at once, of a process
CHUNK = 2**20


class CacheError(UserError):
    """Shards do not fit, or are not what they should be; the message says what to do."""


class Shelf(Protocol):
    """Where the file of a shard is to be had.

    >>> shelf: Shelf = Folder(Path("data/prepared/shards"))
    """

    def path(self, shard: Shard) -> Path:
        """The file, which is there and is the one that was written. Raises UserError."""

    def expect(self, shards: Sequence[Shard]) -> None:
        """These are asked for next, in this order."""


class Folder:
    """All shards of a dataset, in a folder.

    >>> Folder(Path("data/prepared/shards")).folder
    PosixPath('data/prepared/shards')
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._checked: set[str] = set()

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        """Another process checks for itself."""
        return type(self), (self.folder,)

    def path(self, shard: Shard) -> Path:
        path = self.folder / shard.file
        if shard.sha256 not in self._checked:
            if fault := fault_of(path, shard):
                raise CacheError(
                    f"{path}: the shard {fault}: `dvc checkout {self.folder.parent}` brings it back, "
                    "`dvc repro --force prepare` makes it anew"
                )
            self._checked.add(shard.sha256)
        return path

    def expect(self, shards: Sequence[Shard]) -> None:
        """Nothing to do: the system reads ahead by itself."""


class Cache:
    """The latest of the shards that lie in a store.

    Attributes:
        place: where they lie.
        folder: where they are kept; it may be shared by processes and by datasets.
        limit: bytes that they may take there.
        set_by: what the limit is set by, for people.

    >>> Cache(Place("bucket", "pictures/"), Path(".cache/shards"), limit=200_000_000).limit
    200000000
    """

    def __init__(self, place: Place, folder: Path, limit: int, set_by: str = "limit") -> None:
        self.place, self.folder, self.limit, self.set_by = place, folder, limit, set_by
        self._process = 0
        self._checked: set[str] = set()
        self._wanted: SimpleQueue[tuple[Future[Path], Shard]]
        self._coming: dict[str, Future[Path]]

    def __reduce__(self) -> tuple[type["Cache"], tuple[Place, Path, int, str]]:
        """Another process makes its own of the same, with threads and connections of its own."""
        return Cache, (self.place, self.folder, self.limit, self.set_by)

    def path(self, shard: Shard) -> Path:
        """Its file, downloaded if it is not there. Raises UserError, TryLater."""
        self._begin()
        if (coming := self._coming.pop(shard.sha256, None)) is not None:
            wait([coming])  # where that has failed, it is tried again here
        return self._fetched(shard)

    def expect(self, shards: Sequence[Shard]) -> None:
        """Download those that are not there, while this process does something else; no others any more."""
        self._begin()
        coming = {name: one for name, one in self._coming.items() if not one.done()}
        self._coming = {shard.sha256: coming.get(shard.sha256) or self._asked(shard) for shard in shards}
        for name in coming.keys() - self._coming.keys():
            coming[name].cancel()

    def _asked(self, shard: Shard) -> Future[Path]:
        future: Future[Path] = Future()
        self._wanted.put((future, shard))
        return future

    def _download_all(self) -> None:
        while True:
            future, shard = self._wanted.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(self._fetched(shard))
                except BaseException as error:
                    future.set_exception(error)

    def _begin(self) -> None:
        """Threads and connections of this process: a fork has neither."""
        if self._process != os.getpid():
            with kept_in(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            self._process = os.getpid()
            self._wanted, self._coming = SimpleQueue(), {}
            self.place = Place(self.place.bucket, self.place.prefix)
            for _ in range(DOWNLOADS):  # no pool, whose threads a process that ends would wait for
                Thread(target=self._download_all, daemon=True).start()

    def _fetched(self, shard: Shard) -> Path:
        with kept_in(self.folder):
            return self._kept(shard)

    def _kept(self, shard: Shard) -> Path:
        path = self.folder / shard.file
        if self._has(path, shard):
            return path
        partial = path.with_suffix(PARTIAL)
        with locked(self.folder / f"{shard.sha256[:2]}{LOCK}"):  # few files, which stay: to remove one is a race
            if self._has(path, shard):  # by who had the lock
                return path
            path.unlink(missing_ok=True)  # if it is there, it is damaged
            with locked(self.folder / f"room{LOCK}"):
                self._make_room(shard)
                with partial.open("wb") as file:
                    file.truncate(shard.bytes)
            self._download(shard, partial)
            with locked(self.folder / f"room{LOCK}"):  # who counts what is there would find neither name
                partial.replace(path)
        self._checked.add(shard.sha256)
        return path

    def _has(self, path: Path, shard: Shard) -> bool:
        """Whether it is there, the one that was written; it is now the one asked for last."""
        with suppress(FileNotFoundError):
            os.utime(path)
            if shard.sha256 not in self._checked and sha256(path) == shard.sha256:
                self._checked.add(shard.sha256)
            return shard.sha256 in self._checked
        return False

    def _make_room(self, shard: Shard) -> None:
        there = sorted(files_in(self.folder))
        free = self.limit - sum(size for _, size, _ in there)
        for modified, size, path in there:
            if free >= shard.bytes:
                return
            if path.suffix == SUFFIX or modified < time.time() - ABANDONED_SECONDS:
                path.unlink(missing_ok=True)
                free += size
        if free < shard.bytes:
            raise CacheError(
                f"{self.folder}: {self.limit:,} bytes are too few for the shards that are read at once: allow more by "
                f"{self.set_by}"
            )

    def _download(self, shard: Shard, partial: Path) -> None:
        digest = hashlib.sha256()
        with partial.open("r+b") as file:
            for chunk in self.place.chunks(shard.file, CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.truncate()
        if digest.hexdigest() != shard.sha256:
            partial.unlink()
            raise CacheError(f"{self.place}{shard.file}: the shard is damaged: prepare the dataset again")


def fault_of(path: Path, shard: Shard) -> str:
    """What is wrong with the file of a shard, nothing if nothing is."""
    try:
        return "" if sha256(path) == shard.sha256 else "is damaged (its SHA-256 is another); remove it"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"can't be read ({error.strerror}); remove it"


def files_in(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each shard, or part of one, was asked for last, and its size."""
    for path in folder.iterdir():
        if path.suffix in (SUFFIX, PARTIAL):
            with suppress(FileNotFoundError):
                found = path.stat()
                yield found.st_mtime, found.st_size, path


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """What goes wrong with a folder of shards as CacheError."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"{folder}: shards can't be kept there ({error.strerror}): it must be a folder with room in it, which you "
            "may write to"
        ) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One thread of one process at a time."""
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # to close it is not enough: a process forked meanwhile has it open too
