"""What a datum is under: a condition is a mapping of named tensors, each (B, ...), and empty where there is none.

A conditioner reads what people ask for (names, numbers, sentences) and what lies beside the data on disk into a
condition, says what its fields are, so that a network can be built for them, and knows what "no condition" is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from fm.components import Component, option
from fm.label_names import label_index
from fm.lazy import torch
from fm.noise import Draws
from fm.paths import like

if TYPE_CHECKING:
    from torch import Tensor

    from fm.codecs import Codec

Condition = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Label:
    """One of `count` classes: int64 (B,), in which `count` itself means "no label".

    >>> Labels(("cat", "dog")).fields
    {'label': Label(count=2)}
    """

    count: int


@dataclass(frozen=True)
class Vector:
    """Numbers that belong to the whole datum: float (B, width).

    >>> Vector(width=2)
    Vector(width=2)
    """

    width: int


@dataclass(frozen=True)
class Sequence:
    """A sequence to attend to: float (B, length, width), with bool (B, length) under `<name>_mask`, true where there is
    something.

    >>> Sequence(width=64, length=12).length
    12
    """

    width: int
    length: int


@dataclass(frozen=True)
class Map:
    """A tensor over the datum's own grid, to concatenate with it: float (B, channels, *spatial).

    >>> Map(channels=3).channels
    3
    """

    channels: int


Spec = Label | Vector | Sequence | Map
"""What a field of a condition is."""


class Conditioner(Component, ABC, kind="conditioner"):
    """Reads into conditions, and says what their fields are.

    >>> Conditioner.of({"name": "labels", "names": ["cat", "dog"]}).in_turn(3)
    [0, 1, 0]
    """

    @property
    @abstractmethod
    def fields(self) -> Mapping[str, Spec]:
        """What a network is told, field by field."""

    @abstractmethod
    def read(self, asked: abc.Sequence[Any]) -> Condition:
        """What people ask for, one entry for each datum, None for "no condition". Raises ValueError in words."""

    def of_data(self, x: Tensor, draws: Draws) -> Condition:
        """What the data themselves, as modelled (B, C, *spatial), are seen of: fields beside those that are stored. A
        function of each datum and its draws."""
        return {}

    def for_codec(self, codec: Codec) -> Self:
        """The same, reading what people ask for of data that this codec stores."""
        return self

    @abstractmethod
    def null(self, like: Condition) -> Condition:
        """ "No condition" for as many data, on the same device."""

    @property
    def beside_data(self) -> Mapping[str, Spec]:
        """The fields that lie beside the data on disk: all but what is seen of the data themselves."""
        return self.fields

    @property
    def choices(self) -> tuple[str, ...]:
        """All that can be asked for, where that can be listed; else nothing."""
        return ()

    @property
    def examples(self) -> tuple[str, ...]:
        """What people are shown where nobody asks for anything: all choices, or some of what cannot be listed."""
        return self.choices

    @property
    def asks_nothing(self) -> bool:
        """Whether there is nothing to ask for, so that all data are under "no condition"."""
        return not self.fields

    @property
    def meaning(self) -> tuple[str, ...]:
        """What the numbers of its fields depend on besides what is asked for: an encoder's files. Two that differ in
        this have conditions of other meanings."""
        return ()

    def in_turn(self, count: int, first: int = 0) -> abc.Sequence[Any]:
        """What is asked for where nobody says anything, for data `first` to `first + count - 1`."""
        return [None] * count

    def called(self, asked: Any) -> str:
        """The one name of what can be asked for in several ways. Raises ValueError as `read` does."""
        self.read([asked])
        return str(asked)

    def stored(self, rows: Mapping[str, NDArray[Any]]) -> Condition:
        """The condition of data that lie on disk: the arrays (B, ...) that are called as the fields are."""
        condition = {}
        for name, spec in self.beside_data.items():
            condition[name] = torch.from_numpy(rows[name].astype(np.int64 if isinstance(spec, Label) else np.float32))
            if isinstance(spec, Sequence):
                condition[f"{name}_mask"] = torch.from_numpy(rows[f"{name}_mask"].astype(np.bool_))
        return condition


class Unconditional(Conditioner, name="none", says="no condition"):
    """Data under no condition.

    >>> Unconditional().read([None, None])
    {}
    """

    @property
    def fields(self) -> Mapping[str, Spec]:
        return {}

    def read(self, asked: abc.Sequence[Any]) -> Condition:
        for one in asked:
            if one is not None:
                raise ValueError(f"{one!r} is asked for, but this model knows no condition")
        return {}

    def null(self, like: Condition) -> Condition:
        return {}


class Labels(Conditioner, name="labels", says="one of several labels"):
    """Data with one label each; the index after the last means "no label".

    >>> Labels(("cat", "dog")).read(["dog", 0, None])
    {'label': tensor([1, 0, 2])}
    """

    names: tuple[str, ...] = option((), says="of the labels, in the order of their indices")

    def check(self) -> None:
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"no two label names may be alike: {self.names}")

    @property
    def no_label(self) -> int:
        return len(self.names)

    @property
    def fields(self) -> Mapping[str, Spec]:
        return {"label": Label(len(self.names))}

    def read(self, asked: abc.Sequence[Any]) -> Condition:
        """Names by fm.label_names' rule, indices (the index after the last is "no label"), or None."""
        return {"label": torch.tensor([self.index(one) for one in asked], dtype=torch.int64)}

    def index(self, asked: str | int | None) -> int:
        """Raises ValueError for a label that there is not, with those that there are."""
        if asked is None:
            return self.no_label
        if isinstance(asked, str):
            return label_index(asked, self.names)
        if not 0 <= asked <= self.no_label:
            raise ValueError(f"no label {asked}: labels go from 0 to {self.no_label - 1}, and {self.no_label} is none")
        return int(asked)

    @property
    def choices(self) -> tuple[str, ...]:
        return self.names

    @property
    def asks_nothing(self) -> bool:
        return not self.names

    def called(self, asked: Any) -> str:
        index = self.index(asked)
        return self.names[index] if index < self.no_label else "no label"

    def in_turn(self, count: int, first: int = 0) -> list[int]:
        """Every label in turn, for data number `first` and those after it; "no label" where there are no names."""
        return [index % self.no_label if self.names else self.no_label for index in range(first, first + count)]

    def null(self, like: Condition) -> Condition:
        return {"label": torch.full_like(like["label"], self.no_label)}


def withheld(condition: Condition, null: Condition, drop: Tensor) -> Condition:
    """The condition, but "no condition" for the data where `drop`, bool (B,), is true."""
    return {name: torch.where(like(drop, value), null[name], value) for name, value in condition.items()}
