"""Sheets of what a sampler makes, for people: stage evaluate writes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm import images, sheets
from fm.conditions import Whole
from fm.conditions.given import GIVEN
from fm.data.prepared import Prepared
from fm.generator import Generator
from fm.metrics.completing import examples, is_given_a_part
from fm.metrics.distances import nearest
from fm.metrics.extractors import Extractor, Floats
from fm.pictures import pictures
from pipelines.project import NEAREST

NEIGHBOURS = 2


def save_grid(
    generator: Generator, extractor: Extractor, dataset: Prepared, train: Floats, folder: Path, seed: int
) -> None:
    """A sheet of samples, labels in turn, from the same noise for every method and sampler; and below the first row's
    images the training images nearest to them, where a copy would show. What moves is a film beside it. Where a part is
    given, a column is of one test datum: itself, what is given of it, and what is made of that.

    Args:
        train: features of the training split, (N, D).
    """
    columns = sheets.columns_of(generator)
    wholes = examples(dataset.test, columns) if is_given_a_part(generator) else None
    made = sheets.made(generator, seed, asked=wholes)
    samples = pictures(made, generator.codec)
    sampler = generator.config.sampler
    name = f"{sampler.label}-{sampler.steps}"
    shown = made if wholes is None else np.concatenate([*beside(generator, wholes), made[: -2 * columns]])
    images.save_png(sheets.laid_out(pictures(shown, generator.codec), columns), folder / f"{name}.png")
    if (film := sheets.film(shown, generator.codec, columns)) is not None:
        (folder / f"{name}.webp").write_bytes(film)
    near = nearest(extractor.features(made[:columns]), train, NEIGHBOURS)
    real = (pictures(dataset.train[near[:, k]]["data"], generator.codec) for k in range(NEIGHBOURS))
    rows = [samples[:columns], *real]
    images.save_png(sheets.laid_out(np.concatenate(rows), columns), folder / f"{name}{NEAREST}")


def beside(generator: Generator, wholes: Sequence[Whole]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The data, and what is given of them, both as stored; where nothing is given, what is 0 as modelled."""
    given = generator.conditioner.read(wholes)[GIVEN][:, :-1]
    return np.stack([one.stored for one in wholes]), generator.codec.decode(given)
