"""What is measured of a kind of data beside distances: figures that say in the data's own terms what is right."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fm.components import Component

Described = Mapping[str, NDArray[Any]]
"""What is known of data, datum by datum: each (N, ...)."""


@dataclass(frozen=True)
class Figure:
    """One figure of a set of data.

    Attributes:
        name: in a word, for programs.
        says: for people, a phrase.
        unit: of its values; `share` is from 0 to 1, and nothing a bare number.
        aim: what is right: as little of it as can be, as much, or what the data have.

    >>> Figure("flicker", "change of brightness from frame to frame", aim="data").unit
    ''
    """

    name: str
    says: str
    unit: str = ""
    aim: Literal["low", "high", "data"] = "data"


@dataclass(frozen=True)
class Curve:
    """A figure for each of some numbers, as an error is for each wave number.

    Attributes:
        along: what the numbers are, from 1 on.

    >>> Curve("spectrum", "error of the power spectrum", "dB", along="wave number").along
    'wave number'
    """

    name: str
    says: str
    unit: str
    along: str


class Measures(Component, ABC, kind="measures"):
    """Describes data one by one, however they are cut into chunks, and says of a set of them what its figures are.

    >>> class Brightness(Measures):
    ...     figures = (Figure("brightness", "how bright they are"),)
    ...     def describe(self, stored, recognised=None):
    ...         return {"mean": stored.reshape(len(stored), -1).mean(axis=1)}
    ...     def values(self, described, of_data):
    ...         return {"brightness": described["mean"].mean()}
    >>> dark = Brightness().describe(np.zeros((4, 8, 8, 1), np.uint8))
    >>> Brightness().values(dark, dark)
    {'brightness': np.float64(0.0)}
    """

    figures: ClassVar[tuple[Figure, ...]] = ()
    curves: ClassVar[tuple[Curve, ...]] = ()

    @property
    def told(self) -> tuple[Figure, ...]:
        """The figures that it has with its options."""
        return self.figures

    @abstractmethod
    def describe(self, stored: NDArray[Any], recognised: NDArray[np.bool_] | None = None) -> Described:
        """Of data as stored (N, *stored).

        Args:
            recognised: whether a classifier sees in each what it was asked for (N,), where there is one.
        """

    @abstractmethod
    def values(self, described: Described, of_data: Described) -> Mapping[str, float]:
        """Each figure of a set, by its name, against the training data; not a number where there is nothing to say."""

    def lines(self, described: Described, of_data: Described) -> Mapping[str, NDArray[np.float64]]:
        """The values (K,) of each curve of a set; not a number where there is nothing to say."""
        return {}


def together(parts: Sequence[Described]) -> dict[str, NDArray[Any]]:
    """Descriptions of some data and of others, as one.

    >>> together([{"a": np.zeros(2)}, {"a": np.ones(1)}])
    {'a': array([0., 0., 1.])}
    """
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def some(described: Described, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """The description of some of the data."""
    return {name: values[rows] for name, values in described.items()}


def mean(values: NDArray[Any]) -> float:
    """Of those that are numbers; not a number where none is.

    >>> mean(np.array([1.0, np.nan, 3.0])), mean(np.array([np.nan]))
    (2.0, nan)
    """
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")
