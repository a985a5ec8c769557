"""Where data come from while a network is trained: rows of named fields, whatever holds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fm.data.captions import PACKED, TEXT, Packed

Fields = dict[str, NDArray[Any]]


class Rows(Protocol):
    """Data by number: arrays in memory maps, shards in a store. A field `data` is always there.

    >>> class Ramps:
    ...     def __len__(self):
    ...         return 100
    ...     def __getitem__(self, rows):
    ...         return {"data": rows[:, np.newaxis] / 100 * np.ones(8)}
    >>> Ramps()[np.array([50])]["data"].shape
    (1, 8)
    """

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.int64]) -> Fields:
        """Those rows of every field, each (len(rows), ...)."""


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """Rows from the first of so many to the last, at most as many as asked for.

    >>> evenly(10, 4), evenly(2, 4)
    (array([0, 3, 6, 9]), array([0, 1]))
    """
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


class Order(Protocol):
    """The rows of one epoch, in the order in which they are trained on.

    >>> order: Order = np.array([2, 0, 1])
    >>> order[np.array([0, 1])]
    array([2, 0])
    """

    def __getitem__(self, places: NDArray[np.int64], /) -> NDArray[np.int64]:
        """The rows at these places, each in [0, len(rows))."""


@runtime_checkable
class Ordered(Rows, Protocol):
    """Rows that cannot be had in any order at the same cost, and so have one of their own.

    >>> isinstance(Arrays({"data": np.zeros((5, 8))}), Ordered)
    False
    """

    def order(self, seed: int, epoch: int) -> Order:
        """Every row once, a function of (seed, epoch) and of what is stored: neither of the process that asks nor of
        how many there are."""


class Arrays:
    """Rows of whole arrays, in memory or mapped into it.

    Args:
        fields: each (N, ...).
        texts: the field `text`, where there are captions.

    >>> Arrays({"data": np.zeros((5, 8, 8, 1)), "label": np.arange(5)})[np.array([4, 0])]["label"]
    array([4, 0])

    Raises:
        ValueError: the arrays have not one length, or there is no `data`.
    """

    def __init__(self, fields: Mapping[str, NDArray[Any]], texts: Packed | None = None) -> None:
        if "data" not in fields:
            raise ValueError(f"there is no field data: {', '.join(fields) or 'there are none'}")
        lengths = {name: len(array) for name, array in fields.items()} | (
            {TEXT: len(texts)} if texts is not None else {}
        )
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ValueError(f"all fields must have as many rows: {listed}")
        self.fields, self.texts = dict(fields), texts

    @property
    def data(self) -> NDArray[Any]:
        """All of them, (N, *stored)."""
        return self.fields["data"]

    @property
    def stored(self) -> tuple[int, ...]:
        """Shape of one datum."""
        return self.data.shape[1:]

    @property
    def kinds(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shape and type of each field of one datum."""
        kinds = {name: (array.shape[1:], str(array.dtype)) for name, array in self.fields.items()}
        return kinds if self.texts is None else {**kinds, TEXT: ((), PACKED)}

    def column(self, name: str) -> NDArray[Any]:
        """All of a field but the captions, (N, ...)."""
        return self.fields[name]

    def captions(self, rows: NDArray[np.int64]) -> NDArray[np.object_]:
        """The text of each of those rows (fm.data.captions), empty where there is none; nothing else is read."""
        if self.texts is not None:
            return self.texts[rows]
        return self.fields[TEXT][rows].astype(object) if TEXT in self.fields else without_captions(rows)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, rows: NDArray[np.int64]) -> Fields:
        found = {name: array[rows] for name, array in self.fields.items()}
        return found if self.texts is None else {**found, TEXT: self.texts[rows]}


def without_captions(rows: NDArray[np.int64]) -> NDArray[np.object_]:
    return np.full(len(rows), "", dtype=object)


@dataclass(frozen=True)
class Stored:
    """The data of rows that may not fit in memory: they are read when they are asked for, by a slice or by their
    numbers, as of an array.

    >>> stored = Stored(Arrays({"data": np.zeros((50, 8, 8, 1), np.uint8)}))
    >>> len(stored), stored.shape, stored[10:12].shape, stored[np.array([7])].shape
    (50, (50, 8, 8, 1), (2, 8, 8, 1), (1, 8, 8, 1))
    """

    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), *self[:1].shape[1:]

    def __getitem__(self, wanted: slice | NDArray[np.int64]) -> NDArray[Any]:
        rows = np.arange(*wanted.indices(len(self))) if isinstance(wanted, slice) else wanted
        return self.rows[rows]["data"]


Data = NDArray[Any] | Stored
"""(N, *stored), in memory or not; slices and rows of it are arrays."""


def data_of(rows: Rows) -> Data:
    """The data of all rows: of whole arrays at once, of others when they are asked for."""
    return rows.data if isinstance(rows, Arrays) else Stored(rows)


class Some:
    """Some rows of others, as rows.

    >>> Some(Arrays({"data": np.arange(10)}), np.array([2, 5, 7]))[np.array([0, 2])]["data"]
    array([2, 7])
    """

    def __init__(self, rows: Rows, chosen: NDArray[np.int64]) -> None:
        self.rows, self.chosen = rows, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, rows: NDArray[np.int64]) -> Fields:
        return self.rows[self.chosen[rows]]
