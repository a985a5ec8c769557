"""A dataset of any shape in memory, with the codec that reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fm.data.caption_reading import Faults
from fm.data.rows import Arrays
from fm.data.splits import LeftOut, Skipped

if TYPE_CHECKING:
    from fm.codecs import Codec
    from fm.conditions import Conditioner


@dataclass(frozen=True, eq=False)
class CodedSplits:
    """Training and test data of any shape.

    Attributes:
        train, test: fields of equal names, shapes and types: `data`, what the conditioner reads, and what is known
            besides, for whoever measures.
        codec: of the shape and type that the data have.
        conditioner: what a datum is under.
        origin: for people, where the bytes came from. No part of the data: equal data from two places is equal.
        train_files, test_files: the file of each datum, if each has one.
        skipped: files that cannot be used.
        left_out: files that are none of such data.
        warnings: for people, what may not be as it was meant.
        caption_faults: what of the captions is not kept, and why.

    Raises:
        ValueError: the splits do not go together, or are not what codec and conditioner read.

    >>> import numpy as np
    >>> from fm.codecs import Standardised
    >>> from fm.conditions import Unconditional
    >>> wind = Arrays({"data": np.ones((4, 2, 8, 8), np.float32)})
    >>> CodedSplits(wind, wind, Standardised.fitted(wind), Unconditional()).train.stored
    (2, 8, 8)
    """

    train: Arrays
    test: Arrays
    codec: Codec
    conditioner: Conditioner
    origin: str = ""
    train_files: tuple[str, ...] = ()
    test_files: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    caption_faults: tuple[Faults, ...] = ()

    def __post_init__(self) -> None:
        if self.train.kinds != self.test.kinds:
            raise ValueError(f"training data have {self.train.kinds} and test data {self.test.kinds}")
        if (self.train.stored, str(self.train.data.dtype)) != (self.codec.stored, self.codec.dtype):
            raise ValueError(
                f"data are {self.train.data.dtype} {self.train.stored}, and the codec stores {self.codec.dtype} "
                f"{self.codec.stored}"
            )
        if missing := [name for name in self.conditioner.beside_data if name not in self.train.kinds]:
            raise ValueError(f"the conditioner reads {', '.join(missing)}, which the data have not beside them")
