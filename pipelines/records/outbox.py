"""What MLflow is to be told of a run, on disk in order until it has been told.

A run goes on while its store does not answer, and what was killed has left here what it had to say. Each run has a
folder of its own, `<cache>/outbox/<when it began>-<name>/`, locked as long as the run's process is there:

    store             the store's address
    run               the run's id, once the store has given it one
    00000007.json     a message
    00000007/         the files that go with it
"""

import fcntl
import itertools
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.checkout_locks import locked
from pipelines.project import cache_dir, whole_file

LOCK, STORE, RUN = "lock", "store", "run"
PARTIAL = ".partial"


@dataclass
class Outbox:
    """One run's. Threads may put messages into it at once."""

    folder: Path
    known: str | None = None
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    @property
    def run_id(self) -> str | None:
        """None until the store has begun the run."""
        if self.known is None:
            with suppress(FileNotFoundError):
                self.known = (self.folder / RUN).read_text(encoding="utf-8")
        return self.known

    @run_id.setter
    def run_id(self, value: str) -> None:
        with whole_file(self.folder / RUN) as partial:
            partial.write_text(value, encoding="utf-8")
        self.known = value

    def put(self, message: Mapping[str, Any], files: Sequence[Path] = ()) -> None:
        """Add a message, and files and folders to go with it as they are now."""
        with self.one_at_a_time:
            name = f"{next(self.numbers):08d}"
            for file in files:
                (self.folder / name).mkdir(exist_ok=True)
                keep(file, self.folder / name / file.name)
            with whole_file(self.folder / f"{name}.json") as partial:
                partial.write_text(json.dumps(message), encoding="utf-8")

    def waiting(self) -> list[Path]:
        """The messages that have not been delivered, the first first."""
        return sorted(self.folder.glob("*.json"))

    @staticmethod
    def files(message: Path) -> list[Path]:
        folder = message.with_suffix("")
        return sorted(folder.iterdir()) if folder.exists() else []

    @staticmethod
    def remove(message: Path) -> None:
        shutil.rmtree(message.with_suffix(""), ignore_errors=True)
        message.unlink(missing_ok=True)


def keep(source: Path, target: Path) -> None:
    """What `source` is now, whatever becomes of that path: a second name where the file system gives one, else a copy.

    A stage's outputs are replaced and never written into.
    """
    if source.is_dir():
        shutil.copytree(source, target)
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def read(message: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message.read_text(encoding="utf-8"))
    return found


def discard(box: Outbox) -> None:
    shutil.rmtree(box.folder, ignore_errors=True)


def home() -> Path:
    return cache_dir() / "outbox"


@contextmanager
def opened(store: str, name: str) -> Iterator[Outbox]:
    """A new outbox for a run. At the end it goes, unless something in it waits."""
    folder = home() / f"{time.time_ns()}-{os.getpid()}-{name}"
    begun = folder.with_name(folder.name + PARTIAL)
    begun.mkdir(parents=True, mode=0o700)
    (begun / STORE).write_text(store, encoding="utf-8")
    with locked(begun / LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB):
        begun.rename(folder)
        box = Outbox(folder)
        try:
            yield box
        finally:
            if not box.waiting():
                shutil.rmtree(folder, ignore_errors=True)


def abandoned(store: str) -> Iterator[Outbox]:
    """The outboxes for a store that runs have left which are gone, the first first; each is held as long as it is
    looked at."""
    for folder in sorted(home().glob("*")):
        if folder.suffix == PARTIAL or store_of(folder) != store:
            continue
        try:
            with locked(folder / LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield Outbox(folder)
        except BlockingIOError:  # its run goes on, or another delivers it
            continue


def is_empty(store: str) -> bool:
    """Whether nothing for a store lies here, of runs that go on or of others."""
    return not any(store_of(folder) == store for folder in home().glob("*"))


def store_of(folder: Path) -> str | None:
    with suppress(OSError):
        return (folder / STORE).read_text(encoding="utf-8")
    return None
