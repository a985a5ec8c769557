"""Rows that lie in shards, of which only some are at hand at a time.

    shard    a file of rows (fm.data.shard_files)
    window   some shards, whose rows are shuffled together
    epoch    all shards in random order, window by window: every row once

Reading them in this order touches the shards of one window at a time, while those of the next are fetched. The order is
a function of (seed, epoch) and of the manifest: the same for any number of processes, and from any step on. The
shuffle is as good as a window is large: rows of one shard stay within a window of each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm.data.captions import PACKED, TEXT
from fm.data.rows import Fields, without_captions
from fm.data.shard_cache import CacheError, Shelf
from fm.data.shard_files import DATA, Open, Shard

ATTEMPTS = 5


class Shards:
    """A split whose data lie in shards, and the small fields beside them in whole arrays.

    Args:
        shards: in the order of their rows.
        beside: field -> (N, ...), all that is not in the shards.
        has_texts: whether the shards have a field `text`.
        stored, dtype: of one datum.
        window: shards whose rows are shuffled together.

    >>> from pathlib import Path
    >>> from fm.data.shard_cache import Folder
    >>> shelf = Folder(Path("shards"))
    >>> rows = Shards([Shard("a", 300, 900), Shard("b", 200, 600)], shelf, {}, False, (3,), "uint8", window=2)
    >>> len(rows)
    500
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        shelf: Shelf,
        beside: Mapping[str, NDArray[Any]],
        has_texts: bool,
        stored: tuple[int, ...],
        dtype: str,
        window: int,
    ) -> None:
        self.shards, self.shelf, self.beside = tuple(shards), shelf, dict(beside)
        self.has_texts, self.stored, self.dtype, self.window = has_texts, stored, dtype, window
        self.ends = np.cumsum([shard.rows for shard in shards], dtype=np.int64)
        self._open: dict[int, Open] = {}
        self._expected: set[int] = set()

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, rows: NDArray[np.int64]) -> Fields:
        """Those rows of every field; `text` as objects of str."""
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows go from 0 to {len(self) - 1}, not from {rows.min()} to {rows.max()}")
        fields = {name: array[rows] for name, array in self.beside.items()}
        fields[DATA] = np.empty((len(rows), *self.stored), self.dtype)
        if self.has_texts:
            fields[TEXT] = np.empty(len(rows), dtype=object)
        numbers = np.searchsorted(self.ends, rows, side="right")
        by_shard = np.argsort(numbers, kind="stable")
        for places in np.split(by_shard, np.flatnonzero(np.diff(numbers[by_shard])) + 1):
            if len(places):
                self._fill(fields, places, rows, int(numbers[places[0]]))
        for number in set(self._open) - self._expected if self._expected else ():
            del self._open[number]  # what is mapped takes disk space even if it is removed
        return fields

    def _fill(self, fields: Fields, places: NDArray[np.int64], rows: NDArray[np.int64], number: int) -> None:
        shard = self._opened(number)
        inside = rows[places] - (self.ends[number] - self.shards[number].rows)
        fields[DATA][places] = shard.data[inside]
        if self.has_texts:
            fields[TEXT][places] = shard.texts(inside)

    def _opened(self, number: int) -> Open:
        if number not in self._open:
            while len(self._open) >= 2 * self.window:
                self._open.pop(next(iter(self._open)))
            self._open[number] = self._mapped(self.shards[number])
        return self._open[number]

    def _mapped(self, shard: Shard) -> Open:
        for _ in range(ATTEMPTS):
            path = self.shelf.path(shard)
            try:
                return Open(path, self.dtype, self.stored)
            except FileNotFoundError:  # another process has made room
                continue
            except (OSError, ValueError, KeyError, IndexError) as error:
                raise CacheError(f"{path}: no shard of this dataset ({error}): prepare it again") from error
        raise CacheError(f"{path}: the shard was there and is gone again: allow a cache that others use more bytes")

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": {}, "_expected": set()}

    @property
    def kinds(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shape and type of each field of one datum."""
        small = {name: (array.shape[1:], str(array.dtype)) for name, array in self.beside.items()}
        return {DATA: (self.stored, self.dtype), **small, **({TEXT: ((), PACKED)} if self.has_texts else {})}

    def column(self, name: str) -> NDArray[Any]:
        """All of a small field, (N, ...)."""
        return self.beside[name]

    def captions(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The text of each of those rows (fm.data.captions), empty where there is none."""
        return self[rows][TEXT] if self.has_texts else without_captions(rows)

    def order(self, seed: int, epoch: int) -> "Windows":
        """Every row once (fm.data.rows.Ordered)."""
        return Windows(self, seed, epoch)

    def expect(self, numbers: Sequence[int]) -> None:
        """These shards are read next, and others no more, but for what was asked for already."""
        self._expected = set(numbers)
        self.shelf.expect([self.shards[number] for number in numbers])

    @property
    def bytes_at_once(self) -> int:
        """The most that two windows can take: the one that is read and the one that is fetched."""
        largest = sorted((shard.bytes for shard in self.shards), reverse=True)
        return sum(largest[: 2 * self.window])


@dataclass
class Windows:
    """The order of an epoch: shards in random order, then rows in random order within each window of shards.

    >>> from pathlib import Path
    >>> from fm.data.shard_cache import Folder
    >>> shelf = Folder(Path("shards"))
    >>> rows = Shards([Shard("a", 2, 6), Shard("b", 2, 6), Shard("c", 2, 6)], shelf, {}, False, (3,), "uint8", window=1)
    >>> sorted(Windows(rows, seed=0, epoch=0)[np.arange(6)].tolist())
    [0, 1, 2, 3, 4, 5]
    """

    rows: Shards
    seed: int
    epoch: int

    def __post_init__(self) -> None:
        from fm.noise import Purpose, stream  # PyTorch takes seconds, and who only looks at the data needs it not

        shuffle = stream(self.seed, self.epoch, Purpose.ORDER)
        sequence = shuffle.permutation(len(self.rows.shards)).tolist()
        size = self.rows.window
        self.groups: list[list[int]] = [sequence[start : start + size] for start in range(0, len(sequence), size)]
        self.seeds = shuffle.integers(2**63, size=len(self.groups), dtype=np.int64)
        counts = [sum(self.rows.shards[number].rows for number in group) for group in self.groups]
        self.ends = np.cumsum(counts, dtype=np.int64)
        self._latest: tuple[int, NDArray[np.int64]] | None = None

    def __getitem__(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows at these places of the epoch."""
        numbers = np.searchsorted(self.ends, places, side="right")
        found = np.empty(len(places), dtype=np.int64)
        for number in np.unique(numbers).tolist():
            here = numbers == number
            window = self._window(number)
            found[here] = window[places[here] - (self.ends[number] - len(window))]
        return found

    def _window(self, number: int) -> NDArray[np.int64]:
        """The rows of a window in their order; while it is the latest, the shards of the next one are fetched."""
        if self._latest is None or self._latest[0] != number:
            group = self.groups[number]
            self.rows.expect([*group, *self._after(number)])
            shards = [(int(self.rows.ends[one]), self.rows.shards[one].rows) for one in group]
            rows = np.concatenate([np.arange(end - count, end) for end, count in shards])
            shuffle = np.random.Generator(np.random.Philox(key=int(self.seeds[number])))
            self._latest = number, shuffle.permutation(rows)
        return self._latest[1]

    def _after(self, number: int) -> list[int]:
        if number + 1 < len(self.groups):
            return self.groups[number + 1]
        return self._next_epoch.groups[0]

    @cached_property
    def _next_epoch(self) -> "Windows":
        return Windows(self.rows, self.seed, self.epoch + 1)
