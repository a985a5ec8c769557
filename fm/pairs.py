"""Pairs of noise and what a trained generator makes of it, to train on: rectified flow (Liu et al. 2022, arXiv
2209.03003). Drawn shard by shard, so that a run that was cut short goes on where it was and ends with the same bytes.

    pairs.json            how many, their noise's seed, and the shards' SHA-256
    00000-data.npy        float32 (N, C, *spatial): as modelled, so not rounded to what is stored
    00000-label.npy       what each was drawn under, as the dataset has it; so for every other such field

The noise is not kept: that of pair i is a function of the seed and i.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from fm.batches import GIVEN_NOISE, Examples
from fm.components import Choice
from fm.data.prepared import mapped
from fm.data.rows import Fields, Rows
from fm.data.sums import sha256
from fm.errors import UserError
from fm.generator import Generator
from fm.noise import Draws, Purpose
from fm.noise_sources import WHITE, NoiseSource

INDEX = "pairs.json"
DATA = "data"
CHUNK = 200
"""Pairs that are drawn at once: another number would round matrix products differently."""
IN_A_SHARD = 10 * CHUNK


class PairsError(UserError):
    """A folder that has no such pairs; the message names it and says why."""


class Index(BaseModel):
    """pairs.json.

    >>> Index(count=3, seed=0, shape=(1, 8, 8), fields=["data"], sha256={}).digest[:8]
    '44136fa3'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int
    seed: int
    shape: tuple[int, ...]
    fields: list[str]
    sha256: dict[str, str]
    source: Choice = WHITE.name

    @model_serializer(mode="wrap")
    def without_what_is_usual(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = written(self)
        return {name: value for name, value in content.items() if name != "source" or value != WHITE.name}

    @property
    def digest(self) -> str:
        """One for all files."""
        return hashlib.sha256(json.dumps(self.sha256, sort_keys=True).encode()).hexdigest()


def starts(count: int) -> range:
    """Where the shards of so many pairs begin.

    >>> list(starts(2001))
    [0, 2000]
    """
    return range(0, count, IN_A_SHARD)


def draw_shard(generator: Generator, seed: int, first: int, under: Fields) -> Fields:
    """The data of pairs `first`, `first` + 1, …, by the generator's own sampler, with what they were drawn under.

    Args:
        under: fields of a dataset's rows, each (N, ...), as its conditioner has them stored.

    Raises:
        ValueError: the sampler draws noise of its own, so that a pair's noise does not decide.
    """
    count = len(next(iter(under.values())))
    made = []
    for start in range(0, count, CHUNK):
        fields = {name: values[start : start + CHUNK] for name, values in under.items()}
        places = range(first + start, first + min(start + CHUNK, count))
        white = Draws(seed, places).to(generator.device).normal(generator.shape, Purpose.PAIR)
        noise = generator.source.shaped(white)
        made.append(generator.ends_of(noise, generator.conditioner.stored(fields)).cpu().numpy())
    return {DATA: np.concatenate(made).astype(np.float32), **under}


def write_shard(folder: Path, first: int, fields: Fields) -> None:
    """The data last, so that where they are, all is."""
    for name in sorted(fields, key=lambda name: name == DATA):
        file = file_of(folder, first, name)
        partial = file.with_name(f".{file.name}")  # np.save would put .npy behind any other
        np.save(partial, fields[name], allow_pickle=False)
        partial.replace(file)


def is_written(folder: Path, first: int) -> bool:
    return file_of(folder, first, DATA).exists()


def write_index(folder: Path, count: int, seed: int, shape: tuple[int, ...], source: Choice = WHITE.name) -> Index:
    """Once all shards are there; `source` is that of the generator that has drawn them."""
    files = sorted(folder.glob("*.npy"))
    fields = sorted({file.stem.partition("-")[2] for file in files})
    sums = {file.name: sha256(file) for file in files}
    index = Index(count=count, seed=seed, shape=shape, fields=fields, sha256=sums, source=source)
    content = {**index.model_dump(mode="json"), "digest": index.digest}
    (folder / INDEX).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return index


class Pairs(Rows):
    """Pairs on disk as rows to train on: `data` as modelled, their noise `x0`, and what they are under.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_shard(Path(folder), 0, {"data": np.zeros((3, 1, 8, 8), np.float32), "label": np.arange(3)})
    ...     index = write_index(Path(folder), 3, seed=0, shape=(1, 8, 8))
    ...     Pairs.open(Path(folder))[np.array([2])]["x0"].shape
    (1, 1, 8, 8)
    """

    def __init__(self, index: Index, shards: list[dict[str, NDArray[Any]]]) -> None:
        self.index = index
        self.shards = shards
        self.source = NoiseSource.of(index.source)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map them into memory. Raises PairsError."""
        try:
            content: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            index = Index.model_validate({name: value for name, value in content.items() if name != "digest"})
            shards = [
                {field: mapped(file_of(folder, first, field)) for field in index.fields}
                for first in starts(index.count)
            ]
        except (OSError, ValueError, EOFError) as error:
            raise PairsError(f"{folder}: there are no whole pairs here: {error}") from None
        return cls(index, shards)

    def __len__(self) -> int:
        return self.index.count

    def __getitem__(self, rows: NDArray[np.int64]) -> Fields:
        places = np.divmod(rows, IN_A_SHARD)
        fields = {
            name: np.stack([self.shards[shard][name][place] for shard, place in zip(*places, strict=True)])
            for name in self.index.fields
        }
        white = Draws(self.index.seed, rows.tolist()).normal(self.index.shape, Purpose.PAIR)
        return {**fields, GIVEN_NOISE: self.source.shaped(white).numpy()}


def file_of(folder: Path, first: int, field: str) -> Path:
    return folder / f"{first // IN_A_SHARD:05}-{field}.npy"


def under(examples: Examples, first: int, count: int, seed: int) -> Fields:
    """What pairs from `first` on are drawn under: what the dataset's rows are under, in turn and again from the
    beginning; a number for each where that is nothing."""
    numbers = np.arange(first, first + count) % len(examples.rows)
    fields = examples.conditioner.beside_data
    if seen := examples.conditioner.fields.keys() - fields.keys():
        raise ValueError(f"pairs are not drawn under what is given of the data themselves: {', '.join(seen)}")
    if not fields:
        return {"number": numbers}
    found = examples.rows[numbers]
    if examples.captions is not None:
        found |= examples.captions.seen(numbers, Draws(seed, range(first, first + count)))
    return {name: values for name, values in found.items() if name.removesuffix("_mask") in fields}
