"""Many samples as files: in chunks, so that memory stays bounded, several can share the work, and a run that was cut
short goes on where it was.

A chunk begins at a multiple of CHUNK and is always made whole, so an image is the same bits whoever makes it.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm import images
from fm.codecs import Codec
from fm.conditions import Given, Text
from fm.conditions.given import GIVEN
from fm.errors import UserError, shown
from fm.films import films, moves, webp
from fm.generator import Generator
from fm.pictures import pictures
from fm.sample_files import files_of
from pipelines.project import whole_file

CHUNK = 200
SETTINGS = "settings.json"
METADATA = "metadata.jsonl"
"""Which text each image of a folder is of, as Hugging Face's imagefolder and our own `image-folder` read it."""


@dataclass(frozen=True)
class Job:
    """What is asked for: images 0 to `count` - 1 of `seed`, under a label (Conditioner.called), or under texts or given
    data in turn; under all there is in turn, where `asks` has nothing."""

    generator: Generator
    seed: int
    asks: tuple[Any, ...]
    count: int

    @property
    def settings(self) -> dict[str, Any]:
        """What decides an image, beside its index."""
        config, conditioner = self.generator.config, self.generator.conditioner
        settings = {
            "generator": fingerprint(self.generator),
            "sampler": config.sampler.model_dump(mode="json"),
            "seed": self.seed,
        }
        if isinstance(conditioner, Text):
            return settings | {
                "prompts": list(self.asks or conditioner.examples),
                "negative": self.generator.negative,
            }
        if isinstance(conditioner, Given):
            return settings | {"given": digest(conditioner, self.asks)}
        return settings | {"label": self.asks[0] if self.asks else "all in turn"}

    def asked(self, first: int, count: int) -> Sequence[Any]:
        """What each of `count` images from index `first` on is asked for under."""
        if not self.asks:
            return self.generator.conditioner.in_turn(count, first)
        return [self.asks[index % len(self.asks)] for index in range(first, first + count)]

    def file_name(self, index: int) -> str:
        """Of an image in a folder of them."""
        return f"{index:06d}.{'webp' if moves(self.generator.codec) else 'png'}"

    def texts(self, first: int, count: int) -> list[str] | None:
        """The text of each of `count` images from index `first` on, "" for no condition; None where the model knows no
        text."""
        conditioner = self.generator.conditioner
        return [conditioner.text(one) for one in self.asked(first, count)] if isinstance(conditioner, Text) else None

    def arrays(self, first: int, made: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """What is written of the images from index `first` on: `images` as stored, and `labels` int64 (N,), `texts` as
        a list in JSON, or whatever else they are under."""
        texts = self.texts(first, len(made))
        if texts is not None:  # and not what their encoder makes of them, which is a thousand times as much
            return {"images": made, "texts": np.array(json.dumps(texts))}
        condition = self.generator.conditioner.read(self.asked(first, len(made)))
        names = {"label": "labels"}
        return {"images": made, **{names.get(name, name): value.numpy() for name, value in condition.items()}}

    def chunk(self, first: int) -> NDArray[Any]:
        """The CHUNK images from index `first` on, as stored, (CHUNK, *stored)."""
        return self.generator.sample(CHUNK, self.seed, self.asked(first, CHUNK), first_index=first, batch_size=CHUNK)


@dataclass(frozen=True)
class Shard:
    """The `index`-th of `of` shares of the work, counted from 1."""

    index: int = 1
    of: int = 1

    def starts(self, count: int) -> Iterator[int]:
        """Where its chunks begin."""
        yield from range((self.index - 1) * CHUNK, count, self.of * CHUNK)


def digest(conditioner: Given, asks: Sequence[Any]) -> str:
    """SHA-256 of what is given of these data."""
    found = hashlib.sha256()
    for one in asks:
        found.update(conditioner.read([one])[GIVEN].numpy().tobytes())
    return found.hexdigest()


def fingerprint(generator: Generator) -> str:
    """SHA-256 of the weights and of what the network is, without the sampler."""
    config = generator.config.model_dump_json(exclude={"sampler"})
    digest = hashlib.sha256(config.encode())
    for name, value in sorted(generator.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def to_folder(job: Job, folder: Path, shard: Shard) -> int:
    """A PNG file an image, called by its index: `000123.png`; a WebP file of what moves. Those that are there stay.
    What each is of, where that is a text, is in METADATA.

    Returns:
        The number of files written.

    Raises:
        UserError: the folder has files of other settings.
    """
    claim(folder, job.settings)
    write_texts(job, folder / METADATA)
    written = 0
    for first in shard.starts(job.count):
        wanted = {i: folder / job.file_name(i) for i in range(first, min(first + CHUNK, job.count))}
        missing = {i: path for i, path in wanted.items() if not path.exists()}
        if missing:
            made = job.chunk(first)
            for i, path in missing.items():
                with whole_file(path) as partial:
                    partial.write_bytes(file_of(made[i - first : i - first + 1], job.generator.codec))
            written += len(missing)
            print(f"{folder}: {first + len(wanted)}/{job.count}", flush=True)
    return written


def to_data(job: Job, file: Path) -> list[str]:
    """Files as the data came in (fm.sample_files): one of all, or one each. The paths of the first and the last.

    Raises:
        UserError: there is no file of that kind of what this model makes.
    """
    made = job.generator.sample(job.count, job.seed, job.asked(0, job.count))
    written = []
    for name, content in files_of(made, job.generator.codec, file.name):
        with whole_file(file.with_name(name)) as partial:
            partial.write_bytes(content)
        written.append(str(file.with_name(name)))
    return [*dict.fromkeys([written[0], written[-1]])]


def file_of(made: NDArray[Any], codec: Codec) -> bytes:
    """The file of one datum (1, *stored)."""
    moving = films(made, codec)
    return images.png(pictures(made, codec)[0]) if moving is None else webp(moving[0])


def write_texts(job: Job, file: Path) -> None:
    """A row for each image that is asked for, unless as many are there already."""
    texts = job.texts(0, job.count)
    if texts is None or (file.exists() and len(file.read_bytes().splitlines()) >= job.count):
        return
    with whole_file(file) as partial, partial.open("w", encoding="utf-8") as content:
        for index, text in enumerate(texts):
            content.write(json.dumps({"file_name": job.file_name(index), "text": text}) + "\n")


def to_npz(job: Job, file: Path, shard: Shard) -> bool:
    """All images in one file: `images` uint8 (N, H, W, C), `labels` int64 (N,) or `texts` (Job.arrays), `settings` in
    JSON.

    Chunks lie beside it until all are there; whoever makes the last puts them together.

    Returns:
        Whether the file is complete.

    Raises:
        UserError: the file, or the chunks beside it, are of other settings.
    """
    if file.exists() and finished(file, job):
        return True
    parts = file.with_name(f"{file.name}.parts")
    claim(parts, job.settings)
    for first in shard.starts(job.count):
        path = parts / f"{first:06d}.npy"
        if not path.exists():
            made = job.chunk(first)
            with whole_file(path) as partial, partial.open("wb") as content:
                np.save(content, made)
            print(f"{file}: {min(first + CHUNK, job.count)}/{job.count}", flush=True)
    needed = [parts / f"{first:06d}.npy" for first in Shard().starts(job.count)]
    if not all(path.exists() for path in needed):
        return False
    together = np.concatenate([np.load(path) for path in needed])[: job.count]
    with whole_file(file) as partial, partial.open("wb") as content:
        np.savez_compressed(
            content,
            **job.arrays(0, together),  # type: ignore[arg-type]
            settings=json.dumps(job.settings | {"count": job.count}),
        )
    shutil.rmtree(parts, ignore_errors=True)
    return True


def finished(file: Path, job: Job) -> bool:
    """Whether the file has at least the images asked for. Raises UserError if it is of other settings."""
    with np.load(file) as content:
        there = json.loads(str(content["settings"]))
    require_same(file, {key: value for key, value in there.items() if key != "count"}, job.settings)
    return bool(there["count"] == job.count)


def claim(folder: Path, settings: dict[str, Any]) -> None:
    """Say in the folder what is made there. Raises UserError if that is something else already."""
    path = folder / SETTINGS
    if path.exists():
        require_same(folder, json.loads(path.read_text(encoding="utf-8")), settings)
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder}: has files that were not made here; name another folder, or an empty one")
    with whole_file(path) as partial:
        partial.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def require_same(where: object, there: dict[str, Any], asked: dict[str, Any]) -> None:
    for key, value in asked.items():
        if there.get(key) != value:
            raise UserError(
                f"{where}: has images with {key} {shown(there.get(key))}, not {shown(value)}; write to another place"
            )
