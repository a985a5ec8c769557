"""What people are shown of any datum: a picture, uint8 (H, W, 1) grey or (H, W, 3) in colour.

Images are shown as they are; a video or a volume as a strip of its frames or slices; a vector or a sequence as a strip
of its numbers; and what is measured in floats in colours, channel below channel, from blue (three standard deviations
below 0 as modelled) to yellow (as many above).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm.codecs import Codec
from fm.data.rows import Arrays, Rows, Stored
from fm.images import Images

MOST_SLICES = 8
STRIP = 8  # pixels that a line of numbers is high
GREY = 128  # between the parts of a picture
REACH = 3.0  # standard deviations to either end of the colours

# Viridis (van der Walt & Smith 2015), at nine points.
COLOURS = np.array(
    [
        *[[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141]],
        *[[39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]],
    ],
    dtype=np.float64,
)


def pictures(stored: NDArray[Any], codec: Codec) -> Images:
    """Of data as they are stored, (B, *stored) -> uint8 (B, H, W, 1 or 3).

    >>> from fm.codecs import Pixels
    >>> pictures(np.zeros((2, 5, 4, 6, 3), dtype=np.uint8), Pixels(stored=(5, 4, 6, 3))).shape
    (2, 4, 34, 3)
    """
    if stored.dtype == np.uint8:
        return flat(parted(stored))
    modelled = codec.encode(stored).numpy() / (REACH * codec.scale)
    if modelled.ndim == 2:  # a vector is one line of numbers
        modelled = modelled[:, np.newaxis]
    return below_each_other([flat(in_colour(channel)) for channel in modelled.swapaxes(0, 1)])


@dataclass(frozen=True)
class Shown:
    """Pictures of data that may not fit in memory: they are made when they are asked for, as the data are read.

    >>> from fm.codecs import Pixels
    >>> shown = Shown(Stored(Arrays({"data": np.zeros((50, 8, 8, 1), np.uint8)})), Pixels((8, 8, 1)))
    >>> len(shown), shown.shape, shown[10:12].shape, shown[np.array([7])].shape
    (50, (50, 8, 8, 1), (2, 8, 8, 1), (1, 8, 8, 1))
    """

    data: Stored
    codec: Codec

    def __len__(self) -> int:
        return len(self.data)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), *self[:1].shape[1:]

    def __getitem__(self, wanted: slice | NDArray[np.int64]) -> Images:
        return pictures(self.data[wanted], self.codec)


def shown(rows: Rows, codec: Codec) -> Images | Shown:
    """Pictures of all rows: of whole arrays at once, of others when they are asked for."""
    return pictures(rows.data, codec) if isinstance(rows, Arrays) else Shown(Stored(rows), codec)


def parted(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(B, *spatial, C) with one channel or three; where there are others, each stands alone, one more axis in front."""
    if pixels.shape[-1] in (1, 3):
        return pixels
    return np.moveaxis(pixels, -1, 1)[..., np.newaxis]


def flat(pixels: NDArray[np.uint8]) -> Images:
    """(B, *spatial, 1 or 3) -> (B, H, W, 1 or 3), whatever number of spatial axes there is."""
    match pixels.ndim - 2:
        case 0:
            return flat(pixels[:, np.newaxis])
        case 1:
            return np.repeat(pixels[:, np.newaxis], STRIP, axis=1)
        case 2:
            return pixels
    count = pixels.shape[1]
    chosen = np.linspace(0, count - 1, min(count, MOST_SLICES)).round().astype(np.int64)
    return beside_each_other([flat(pixels[:, number]) for number in chosen])


def in_colour(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Numbers (...) from -1 to 1, beyond which nothing changes -> uint8 (..., 3)."""
    place = (np.clip(values, -1, 1) + 1) / 2 * (len(COLOURS) - 1)
    points = np.arange(len(COLOURS))
    mixed = np.stack([np.interp(place, points, COLOURS[:, colour]) for colour in range(3)], axis=-1)
    return mixed.round().astype(np.uint8)


def beside_each_other(parts: list[Images]) -> Images:
    """Pictures of one height from left to right, a line of grey between two."""
    line = np.full_like(parts[0][:, :, :1], GREY)
    between = [one for part in parts for one in (line, part)]
    return np.concatenate(between[1:], axis=2)


def below_each_other(parts: list[Images]) -> Images:
    line = np.full_like(parts[0][:, :1], GREY)
    between = [one for part in parts for one in (line, part)]
    return np.concatenate(between[1:], axis=1)
