"""Makes latents of pictures (fm.codecs.Encoded), part by part: killed, it goes on where it was."""

import json
import os
import shutil
import time
from collections.abc import Callable
from math import prod
from pathlib import Path

from numpy.lib.format import open_memmap

from fm.codecs import Encoded
from fm.codecs.measuring import chunks
from fm.data.rows import Rows


def encode(
    pictures: Rows,
    codec: Encoded,
    file: Path,
    work: Path,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> float:
    """Write what the codec stores of each into an array, float16 (N, *stored); the seconds that all of it has taken.

    No more pictures are in memory than are encoded at once.

    Args:
        work: where the array is until it is whole.
        report: called with how many are encoded, of how many.
    """
    work.mkdir(parents=True, exist_ok=True)
    partial, state = work / file.name, work / f"{file.stem}.json"
    done, seconds = json.loads(state.read_text(encoding="utf-8")) if state.exists() else (0, 0.0)
    shape = (len(pictures), *codec.stored)
    array = open_memmap(partial, mode="r+" if done else "w+", dtype=codec.dtype, shape=shape)
    for some in chunks(len(pictures), prod(codec.own.stored)):
        if some[0] >= done:
            began = time.perf_counter()
            array[some[0] : some[-1] + 1] = codec.stores(pictures[some]["data"])
            array.flush()
            seconds += time.perf_counter() - began
            keep(state, int(some[-1]) + 1, seconds)
            report(int(some[-1]) + 1, len(pictures))
    del array
    placed(partial, file)
    return float(seconds)


def keep(state: Path, done: int, seconds: float) -> None:
    """How far it is, once that is on the disk."""
    partial = state.with_suffix(".partial")
    partial.write_text(json.dumps([done, seconds]), encoding="utf-8")
    partial.replace(state)


def placed(source: Path, target: Path) -> None:
    """The same file there too, or its copy where they are on two disks."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
