"""SVG files as pictures: drawn by resvg, which looks for no fonts, and brought to white as any own image is."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fm.data.decoding import decode
from fm.data.processes import processes

TOGETHER = 64
"""Pictures that are drawn before the next are begun."""
LARGE = 2**28
"""Numbers of all pictures together from which on other processes are worth their beginning: 10,000 of 95 x 95 in
colour."""


def draw(svg: str, size: int, channels: int) -> NDArray[np.uint8]:
    """A square drawing on white, uint8 (size, size, channels).

    >>> circle = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="3"/></svg>'
    >>> draw(circle, size=16, channels=1)[[0, 8], 8, 0]
    array([255,   0], dtype=uint8)
    """
    from resvg_py import svg_to_bytes  # only these pictures need it

    png = svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    return decode(png, size, channels).pixels


def drawn(svgs: Sequence[str], size: int, channels: int, folder: Path) -> NDArray[np.uint8]:
    """Each of them, uint8 (N, size, size, channels), read-only.

    They lie in a file without a name below `folder`, which vanishes with the array: 10,000 pictures of 512x512 pixels
    are 8 GB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        for picture in pictures(svgs, size, channels):
            file.write(picture.tobytes())
        file.flush()
        return np.memmap(file, np.uint8, "r", shape=(len(svgs), size, size, channels))


def pictures(svgs: Sequence[str], size: int, channels: int) -> Iterator[NDArray[np.uint8]]:
    one = partial(draw, size=size, channels=channels)
    if len(svgs) * size**2 * channels < LARGE:
        yield from map(one, svgs)
        return
    # resvg keeps Python's lock while it draws, so that threads gain nothing.
    waiting = iter(svgs)
    with processes(os.cpu_count() or 1) as pool:
        while together := list(islice(waiting, TOGETHER)):
            yield from pool.map(one, together, chunksize=4)
