"""Makes tokens of the captions of a dataset (fm.data.embedded), part by part: killed, it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from fm.data.captions import of_lines
from fm.data.embedded import ENDS, TOKENS, files_of
from fm.data.prepared import SPLITS, Prepared
from fm.data.rows import Arrays
from fm.text import Encoder

if TYPE_CHECKING:
    from fm.data.shards import Shards

AT_ONCE = 4096
"""Captions, or data whose captions are read, that are dealt with together."""


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
    work: Path,
    device: torch.device | str = "cpu",
    report: Callable[[int, int], None] = lambda done, of: None,
) -> Made:
    """Write the tokens of a dataset's captions into `folder`.

    Args:
        work: where parts are kept until all are there.
        report: called with how many captions have been embedded, of how many.

    Raises:
        EncoderError: the encoder is not to be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    numbers: dict[str, int] = {"": 0}
    without = 0
    for split in SPLITS:
        of_data = [
            [numbers.setdefault(caption, len(numbers)) for caption in captions]
            for captions in captions_of(getattr(dataset, split))
        ]
        counts = [len(one) for one in of_data]
        without += counts.count(0)
        content, ends = files_of(split)
        np.save(folder / content, np.array([number for one in of_data for number in one], dtype=np.int64))
        np.save(folder / ends, np.cumsum(counts, dtype=np.int64))
    texts = list(numbers)
    parts = [work / f"{start}.npz" for start in range(0, len(texts), AT_ONCE)]
    for place, part in enumerate(parts):
        if not part.exists():
            write_part(part, encoder, texts[place * AT_ONCE : (place + 1) * AT_ONCE], device)
        report(min((place + 1) * AT_ONCE, len(texts)) - 1, len(texts) - 1)  # the empty text is no caption
    tokens, cut = together(parts, folder, encoder.width)
    return Made(len(texts) - 1, tokens, cut, without)


def captions_of(rows: Arrays | Shards) -> Iterator[tuple[str, ...]]:
    """Those of each datum."""
    for start in range(0, len(rows), AT_ONCE):
        some = np.arange(start, min(start + AT_ONCE, len(rows)))
        yield from map(of_lines, rows.captions(some))


def write_part(part: Path, encoder: Encoder, texts: Sequence[str], device: torch.device | str) -> None:
    """The tokens of some captions, whole or not at all."""
    made = encoder.encode(texts, device)
    tokens = made.values[made.there].cpu().numpy().astype(np.float16)
    partial = part.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, tokens=tokens, lengths=made.there.sum(dim=1).cpu().numpy(), cut=np.array(made.cut))
    partial.replace(part)


def together(parts: Sequence[Path], folder: Path, width: int) -> tuple[int, int]:
    """One array of all parts, written part by part; how many tokens they have, and how many captions were cut."""
    lengths: list[NDArray[np.int64]] = []
    cut = 0
    for part in parts:
        with np.load(part) as content:
            lengths.append(content["lengths"].astype(np.int64))
            cut += int(content["cut"])
    ends = np.cumsum(np.concatenate(lengths), dtype=np.int64)
    np.save(folder / ENDS, ends)
    whole = open_memmap(folder / TOKENS, mode="w+", dtype=np.float16, shape=(int(ends[-1]), width))
    start = 0
    for part in parts:
        with np.load(part) as content:
            whole[start : start + len(content["tokens"])] = content["tokens"]
            start += len(content["tokens"])
    whole.flush()
    return int(ends[-1]), cut
