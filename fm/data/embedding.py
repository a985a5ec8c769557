"""Makes tokens of the captions of a dataset (fm.data.embedded), part by part: killed, it goes on where it was.

Parts are kept by their encoder and texts: whoever needs the same captions once more, for the same data or beside other
pictures, finds them made.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from fm.data.captions import of_lines
from fm.data.embedded import EMPTY, ENDS, TOKENS, files_of
from fm.data.prepared import SPLITS, Prepared
from fm.data.rows import Arrays
from fm.text import Encoder

if TYPE_CHECKING:
    from fm.data.shards import Shards

AT_ONCE = 4096
"""Captions, or data whose captions are read, that are dealt with together."""


Report = Callable[[int, int], None]
KEPT = "captions"
"""The folder of a cache that parts are kept in."""


class Made(NamedTuple):
    """What has been embedded.

    Attributes:
        captions: different ones, the empty text not counted.
        tokens: of them all.
        cut: how many of them had more tokens than the encoder's length, and were cut there.
        without: data that have no caption.

    >>> Made(captions=2, tokens=9, cut=0, without=1).tokens
    9
    """

    captions: int
    tokens: int
    cut: int
    without: int


def embed(
    dataset: Prepared,
    encoder: Encoder,
    folder: Path,
    kept: Path,
    device: torch.device | str = "cpu",
    report: Report = lambda done, of: None,
) -> Made:
    """Write the tokens of a dataset's captions into `folder`.

    Args:
        kept: the folder of parts that are made already, which those that are not are added to.
        report: called with how many captions have been embedded, of how many.

    Raises:
        EncoderError: the encoder is not to be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts, of_splits = numbered(dataset)
    without = 0
    for split, of_data in of_splits.items():
        counts = [len(one) for one in of_data]
        without += counts.count(0)
        content, ends = files_of(split)
        np.save(folder / content, np.array([number for one in of_data for number in one], dtype=np.int64))
        np.save(folder / ends, np.cumsum(counts, dtype=np.int64))
    tokens, cut = together(parts_of(texts, encoder, kept, device, report), folder, encoder.width)
    return Made(len(texts) - 1, tokens, cut, without)


def numbered(dataset: Prepared) -> tuple[list[str], dict[str, list[list[int]]]]:
    """Every different caption of a dataset, behind the empty text; and split by split the numbers of each datum's."""
    numbers: dict[str, int] = {"": EMPTY}
    of_splits = {
        split: [
            [numbers.setdefault(caption, len(numbers)) for caption in captions]
            for captions in captions_of(getattr(dataset, split))
        ]
        for split in SPLITS
    }
    return list(numbers), of_splits


def means(
    texts: Sequence[str],
    encoder: Encoder,
    kept: Path,
    device: torch.device | str = "cpu",
    report: Report = lambda done, of: None,
) -> NDArray[np.float32]:
    """The mean of each text's tokens, (N, width); `kept` and `report` as of `embed`."""
    made = np.empty((len(texts), encoder.width), np.float32)
    start = 0
    for file in parts_of(texts, encoder, kept, device, report):
        part = Part.read(file)
        sums = np.add.reduceat(part.tokens.astype(np.float32), np.cumsum(part.lengths) - part.lengths)
        made[start : start + len(sums)] = sums / part.lengths[:, None]
        start += len(sums)
    return made


def captions_of(rows: Arrays | Shards) -> Iterator[tuple[str, ...]]:
    """Those of each datum."""
    for start in range(0, len(rows), AT_ONCE):
        some = np.arange(start, min(start + AT_ONCE, len(rows)))
        yield from map(of_lines, rows.captions(some))


class Part(NamedTuple):
    """The tokens of some texts, as they are kept.

    Attributes:
        tokens: one text after the other, float16 (tokens, width).
        lengths: of each text, int64 (N,).
        cut: as of what has been embedded.

    >>> Part(np.zeros((5, 8), np.float16), np.array([2, 3]), cut=0).lengths.sum()
    np.int64(5)
    """

    tokens: NDArray[np.float16]
    lengths: NDArray[np.int64]
    cut: int

    @classmethod
    def made(cls, encoder: Encoder, texts: Sequence[str], device: torch.device | str) -> Self:
        made = encoder.encode(texts, device)
        tokens = made.values[made.there].cpu().numpy().astype(np.float16)
        return cls(tokens, made.there.sum(dim=1).cpu().numpy(), made.cut)

    @classmethod
    def read(cls, file: Path) -> Self:
        with np.load(file) as content:
            return cls(content["tokens"], content["lengths"].astype(np.int64), int(content["cut"]))

    def write(self, file: Path) -> None:
        """Whole or not at all."""
        partial = file.with_suffix(f".{os.getpid()}.partial")
        with partial.open("wb") as opened:
            np.savez(opened, **self._asdict())
        partial.replace(file)


def parts_of(
    texts: Sequence[str], encoder: Encoder, kept: Path, device: torch.device | str, report: Report
) -> list[Path]:
    """The files with the tokens of texts, AT_ONCE in each; those that are not there yet are made."""
    kept.mkdir(parents=True, exist_ok=True)
    found = []
    for start in range(0, len(texts), AT_ONCE):
        some = texts[start : start + AT_ONCE]
        file = kept / f"{key_of(some, encoder)}.npz"
        if not zipfile.is_zipfile(file):  # as one that the power failed upon is not
            Part.made(encoder, some, device).write(file)
        found.append(file)
        report(start + len(some) - 1, len(texts) - 1)  # the empty text is no caption
    return found


def key_of(texts: Sequence[str], encoder: Encoder) -> str:
    """Texts and encoder as one name of a file."""
    asked = [encoder.choice, encoder.sums, list(texts)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def together(parts: Sequence[Path], folder: Path, width: int) -> tuple[int, int]:
    """One array of all parts, written part by part; how many tokens they have, and how many captions were cut."""
    lengths: list[NDArray[np.int64]] = []
    cut = 0
    for file in parts:
        with np.load(file) as content:
            lengths.append(content["lengths"].astype(np.int64))
            cut += int(content["cut"])
    ends = np.cumsum(np.concatenate(lengths), dtype=np.int64)
    np.save(folder / ENDS, ends)
    whole = open_memmap(folder / TOKENS, mode="w+", dtype=np.float16, shape=(int(ends[-1]), width))
    start = 0
    for file in parts:
        tokens = Part.read(file).tokens
        whole[start : start + len(tokens)] = tokens
        start += len(tokens)
    whole.flush()
    return int(ends[-1]), cut
