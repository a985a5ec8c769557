"""A user's own data that are no pictures, as docs/beyond-pictures.md has them: squares that fly, boxes that stand."""

import numpy as np

from fm.bouncing import bounced
from fm.codecs import Pixels
from fm.components import Choice
from fm.conditions import Labels
from fm.data.rows import Arrays
from fm.data.sources import CodedDataset, CodedSplits, Request

TRAIN, TEST = 80, 40
FRAMES, SIDE, THING = 8, 8, 2


class Flights(CodedDataset, says="videos of a square that flies from wall to wall, up and down or to and fro"):
    @property
    def measures(self) -> Choice:
        return {"name": "motion", "span": SIDE - THING}

    def load(self, asked: Request) -> CodedSplits:
        codec = Pixels((FRAMES, SIDE, SIDE, 1), spacing=(1.0, 1.0, 1.0), spacing_units=("frame", "pixel", "pixel"))
        train, test = (flights(np.random.default_rng(seed), count) for seed, count in ((0, TRAIN), (1, TEST)))
        return CodedSplits(train, test, codec, Labels(("up and down", "to and fro")), origin="made here")


def flights(random: np.random.Generator, count: int) -> Arrays:
    label, start = np.arange(count) % 2, random.integers(0, SIDE - THING, (count, 2))
    films = np.zeros((count, FRAMES, SIDE, SIDE, 1), np.uint8)
    for film, along, (first, other) in zip(films, label, start, strict=True):
        for frame, place in zip(film, bounced(first + 2.0 * np.arange(FRAMES), SIDE - THING).astype(int), strict=True):
            row, column = (other, place) if along else (place, other)
            frame[row : row + THING, column : column + THING] = 255
    return Arrays({"data": films, "label": label})


class Boxes(CodedDataset, says="boxes of 8x8x8 voxels, wide or tall"):
    @property
    def measures(self) -> Choice:
        return "volumes"

    def load(self, asked: Request) -> CodedSplits:
        codec = Pixels((SIDE, SIDE, SIDE, 1), spacing=(1.0, 1.0, 1.0), spacing_units=("voxel", "voxel", "voxel"))
        train, test = (boxes(np.random.default_rng(seed), count) for seed, count in ((0, TRAIN), (1, TEST)))
        return CodedSplits(train, test, codec, Labels(("wide", "tall")), origin="made here")


def boxes(random: np.random.Generator, count: int) -> Arrays:
    label, voxels = np.arange(count) % 2, np.zeros((count, SIDE, SIDE, SIDE, 1), np.uint8)
    for box, tall in zip(voxels, label, strict=True):
        short, long = random.integers(2, 4), random.integers(5, 7)
        rows, columns = (long, short) if tall else (short, long)
        box[2 : 2 + short, 1 : 1 + rows, 1 : 1 + columns] = 255
    return Arrays({"data": voxels, "label": label})
