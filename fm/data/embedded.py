"""Captions as the tokens that a text encoder makes of them, made once and mapped into memory.

    tokens.npy          float16 (tokens, width): those of every different caption, one caption after the other
    ends.npy            int64 (captions,): where each caption's end; the first one is the empty text
    train_captions.npy  int64 (places,): which captions each datum has, one datum after the other
    train_ends.npy      int64 (N,): where each datum's end
    test_...            the same of the test split

A caption of many data is there once, and none takes more room than it has tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fm.captions import chosen
from fm.data.prepared import PreparedError, mapped
from fm.noise import Draws

TOKENS, ENDS = "tokens.npy", "ends.npy"
TEXT, MASK = "text", "text_mask"
"""The fields of a condition that is a text."""
EMPTY = 0
"""The number of the empty text."""


@dataclass(frozen=True, eq=False)
class Ragged:
    """Sequences of several lengths, one after the other.

    Attributes:
        content: (places, ...).
        ends: int64 (N,), where each sequence ends.

    >>> Ragged(np.arange(5), np.array([2, 5]))[1]
    array([2, 3, 4])
    """

    content: NDArray[Any]
    ends: NDArray[np.int64]

    def __getitem__(self, number: int) -> NDArray[Any]:
        return self.content[self.starts(np.array([number]))[0] : self.ends[number]]

    def __len__(self) -> int:
        return len(self.ends)

    def starts(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(numbers > 0, self.ends[numbers - 1], 0)

    def check(self) -> None:
        """Raises ValueError where they do not make up the content."""
        if (np.diff(self.ends, prepend=0) < 0).any() or (self.ends[-1] if len(self) else 0) != len(self.content):
            raise ValueError("sequences do not end where they should")


class Embedded:
    """The captions of a split as tokens, datum by datum.

    Args:
        captions: the tokens of each caption, float16 (tokens, width).
        of_data: the numbers of each datum's captions.
        length: tokens of a text, as its encoder has them at most.

    Raises:
        ValueError: they do not go together.

    >>> captions = Ragged(np.ones((5, 2), np.float16), np.array([2, 5]))
    >>> embedded = Embedded(captions, Ragged(np.array([1]), np.array([1, 1])), length=4)
    >>> embedded.seen(np.array([0, 1]), Draws(seed=0, positions=[7, 8]))["text_mask"].sum(axis=1)
    array([3, 2])
    """

    def __init__(self, captions: Ragged, of_data: Ragged, length: int) -> None:
        captions.check()
        of_data.check()
        if len(of_data.content) and not 0 <= of_data.content.min() <= of_data.content.max() < len(captions):
            raise ValueError("data have captions that are not there")
        self.captions, self.of_data, self.length = captions, of_data, length

    @classmethod
    def open(cls, folder: Path, split: str, length: int) -> Self:
        """Raises PreparedError: the folder has none of that split, or is damaged."""
        try:
            captions = Ragged(mapped(folder / TOKENS), mapped(folder / ENDS))
            of_data = Ragged(*(mapped(folder / file) for file in files_of(split)))
            return cls(captions, of_data, length)
        except (OSError, EOFError, ValueError) as error:
            raise PreparedError(f"{folder}: the tokens of captions are damaged: {error}") from None

    def __len__(self) -> int:
        """Data of the split."""
        return len(self.of_data)

    def seen(self, rows: NDArray[np.int64], draws: Draws) -> dict[str, NDArray[Any]]:
        """One caption of each of these data, another at every visit (fm.captions): `text` float16 (B, length, width)
        and `text_mask` bool (B, length). The empty text where a datum has none."""
        starts = self.of_data.starts(rows)
        numbers = chosen(self.of_data.ends[rows] - starts, draws)
        places = np.where(numbers >= 0, starts + numbers, 0)
        captions = np.where(numbers >= 0, self.of_data.content[places] if len(self.of_data.content) else EMPTY, EMPTY)
        values = np.zeros((len(rows), self.length, self.captions.content.shape[1]), np.float16)
        there = np.zeros((len(rows), self.length), np.bool_)
        for place, caption in enumerate(captions.tolist()):
            tokens = self.captions[caption]
            values[place, : len(tokens)] = tokens
            there[place, : len(tokens)] = True
        return {TEXT: values, MASK: there}


def files_of(split: str) -> tuple[str, str]:
    return f"{split}_captions.npy", f"{split}_ends.npy"
