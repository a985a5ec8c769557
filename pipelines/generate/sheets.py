"""Images on one sheet, and what is told of them where they are of texts."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fm import images
from fm.conditions import Text
from fm.errors import UserError
from fm.films import playing
from fm.generator import Generator
from fm.noise import Draws, Purpose, slerp
from fm.pictures import pictures
from pipelines.generate.files import Job
from pipelines.project import whole_file


@dataclass(frozen=True)
class Place:
    """What the picture at a place of a sheet is of.

    Attributes:
        asked: a label or a text.
        noise: the index of its noise among its seed's; a place between two seeds has none of its own.

    >>> Place("a red heart", noise=0, guidance=2.0).asked
    'a red heart'
    """

    asked: Any
    noise: int | None
    guidance: float


@dataclass(frozen=True)
class Sheet:
    """Data as stored, (N, *stored), row by row, and what each is of."""

    made: NDArray[Any]
    columns: int
    places: Sequence[Place]

    def save(self, job: Job, file: Path) -> None:
        """A PNG or WebP file, and what is told of it beside it (told_in) where its pictures are of texts.

        Raises:
            UserError: a WebP file of what stands still.
        """
        codec = job.generator.codec
        if file.suffix == ".webp":
            if (film := playing(self.made, codec, self.columns)) is None:
                raise UserError(f"--out {file}: must end in .png: what this model makes does not move")
            file.write_bytes(film)
        else:
            images.save_png(images.grid(pictures(self.made, codec), self.columns), file)
        if isinstance(job.generator.conditioner, Text):
            with whole_file(told_in(file)) as partial:
                partial.write_text(json.dumps(self.told(job), indent=2) + "\n", encoding="utf-8")

    def told(self, job: Job) -> dict[str, Any]:
        """What each picture is of, rows and columns counted from 1."""
        settings = job.settings
        return {
            "generator": settings["generator"],
            "sampler": {name: value for name, value in settings["sampler"].items() if name != "guidance"},
            "seed": settings["seed"],
            "negative": settings["negative"],
            "pictures": [
                {
                    "row": index // self.columns + 1,
                    "column": index % self.columns + 1,
                    "prompt": place.asked or "",
                    "noise": place.noise,
                    "guidance": place.guidance,
                }
                for index, place in enumerate(self.places)
            ],
        }


def told_in(file: Path) -> Path:
    """
    >>> told_in(Path("hearts.png")).name
    'hearts.png.json'
    """
    return file.with_name(f"{file.name}.json")


def sheet(job: Job) -> Sheet:
    """About as many rows as columns, each image from noise of its own."""
    asked, scale = job.asked(0, job.count), job.generator.config.sampler.scale
    made = job.generator.sample(job.count, job.seed, asked)
    places = [Place(one, noise, scale) for noise, one in enumerate(asked)]
    return Sheet(made, math.ceil(math.sqrt(job.count)), places)


def sweep(job: Job, scales: Sequence[float]) -> Sheet:
    """One row for each scale of guidance, from the same noise."""
    asked = job.asked(0, job.count)
    made = [at_scale(job.generator, scale).sample(job.count, job.seed, asked) for scale in scales]
    places = [Place(one, noise, scale) for scale in scales for noise, one in enumerate(asked)]
    return Sheet(np.concatenate(made), job.count, places)


def by_prompt(job: Job) -> Sheet:
    """One row for each prompt, from the same noise."""
    scale = job.generator.config.sampler.scale
    made = [job.generator.sample(job.count, job.seed, [prompt] * job.count) for prompt in job.asks]
    places = [Place(prompt, noise, scale) for prompt in job.asks for noise in range(job.count)]
    return Sheet(np.concatenate(made), job.count, places)


def by_prompt_and_scale(job: Job, scales: Sequence[float]) -> Sheet:
    """A row for each prompt and noise, those of a prompt below each other, and a column for each scale of guidance."""
    generators = [at_scale(job.generator, scale) for scale in scales]
    made = [
        np.stack([one.sample(job.count, job.seed, [prompt] * job.count) for one in generators], axis=1)
        for prompt in job.asks
    ]
    places = [Place(prompt, noise, scale) for prompt in job.asks for noise in range(job.count) for scale in scales]
    return Sheet(np.concatenate([row for block in made for row in block]), len(scales), places)


def at_scale(generator: Generator, scale: float) -> Generator:
    """With guidance of a scale; a scale of 1 leads away from nothing, and from no negative either. Raises UserError."""
    try:
        guided = generator.adjusted(guidance=scale)
    except ValueError as error:
        raise UserError(f"--guidance: {error}") from None
    return guided.away_from(None) if scale == 1 else guided


def interpolation(job: Job, other: int, columns: int) -> Sheet:
    """One row for each image index, from its noise in the one seed (left) to that in the other (right)."""
    shape = job.generator.shape
    left, right = (Draws(seed, range(job.count)).normal(shape, Purpose.SAMPLE) for seed in (job.seed, other))
    between = [slerp(left, right, place / (columns - 1)) for place in range(columns)]
    x0 = job.generator.source.shaped(torch.stack(between, dim=1).flatten(0, 1))
    asked = [one for one in job.asked(0, job.count) for _ in range(columns)]
    try:
        made = job.generator.sample_from(x0, asked)
    except ValueError as error:
        raise UserError(f"--interpolate: {error}; take another --solver, for example ddim or midpoint") from None
    return Sheet(made, columns, [Place(one, None, job.generator.config.sampler.scale) for one in asked])
