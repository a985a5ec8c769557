"""Sheets of samples, as people are shown what a generator makes: labels or example texts in turn, from the noise of one
seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fm.codecs import Codec
from fm.films import playing
from fm.images import Images, grid, reduced
from fm.pictures import pictures

if TYPE_CHECKING:
    from fm.generator import Generator

ROWS = 8
FILMED = 3  # rows that move: eight of them would be a large file
MOST_COLUMNS = 10
MOST_PIXELS = 128
"""A side of a picture in a sheet, which shows larger ones smaller."""


def sheet(generator: Generator, seed: int, steps: int | None = None) -> Images:
    """The pictures of `samples` row by row on grey: one picture, uint8 (H, W, 1 or 3)."""
    return laid_out(samples(generator, seed, steps), columns_of(generator))


def laid_out(images: Images, columns: int) -> Images:
    """Pictures (B, H, W, C) row by row on grey. A strip is as high as a picture would be."""
    shorter, longer = sorted(images.shape[1:3])
    return grid(reduced(images, MOST_PIXELS * longer // shorter), columns)


def samples(generator: Generator, seed: int, steps: int | None = None) -> Images:
    """Pictures of as many samples as a sheet shows: uint8 (ROWS * columns, H, W, 1 or 3).

    Raises:
        NotFinite: what the sampler makes is no numbers.
    """
    return pictures(made(generator, seed, steps), generator.codec)


def made(generator: Generator, seed: int, steps: int | None = None, asked: Sequence[Any] | None = None) -> NDArray[Any]:
    """The same as stored, (ROWS * columns, *stored). Raises NotFinite.

    Args:
        asked: what each column is asked for under, instead of all there is in turn.
    """
    rows = None if asked is None else list(asked) * ROWS
    return generator.sample(ROWS * columns_of(generator), seed, rows, steps=steps)


def film(stored: NDArray[Any], codec: Codec, columns: int) -> bytes | None:
    """The first FILMED rows of a sheet of data as they move, an animated WebP file; None of what stands still."""
    return playing(stored[: FILMED * columns], codec, columns, MOST_PIXELS)


def columns_of(generator: Generator) -> int:
    return columns(len(generator.conditioner.examples))


def columns(num_examples: int) -> int:
    """One for each label or text if that makes a few, so that those in turn stand in columns."""
    return num_examples if 2 <= num_examples <= MOST_COLUMNS else MOST_COLUMNS
