"""What the colours of measurements stand for, in the units that they are stored in (fm.pictures)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fm.codecs import Codec
from fm.images import Images
from fm.lazy import torch
from fm.pictures import REACH, in_colour

WIDE, BAR, GAP = 96, 12, 4  # pixels
INK = 230


class Ends(NamedTuple):
    """Between what the colours of a channel lie.

    Attributes:
        low, middle, high: what blue, green and yellow stand for.

    >>> from fm.codecs import Standardised
    >>> ends(Standardised(stored=(1, 8, 8), mean=(10.0,), deviation=(2.0,)))
    [Ends(low=4.0, middle=10.0, high=16.0)]
    """

    low: float
    middle: float
    high: float


def ends(codec: Codec) -> list[Ends]:
    """Of each channel of what a codec stores as measurements (C, *spatial)."""
    reach = REACH * codec.scale
    at = torch.tensor([-reach, 0.0, reach]).reshape(3, *[1] * len(codec.shape)).expand(3, *codec.shape)
    values = codec.decode(at).reshape(3, codec.shape[0], -1)[..., 0].astype(float)
    return [Ends(*map(float, channel)) for channel in values.T]


def colour_key(codec: Codec, unit: str = "", height: int = 128) -> Images:
    """A bar of the colours for each channel, with what their ends and their middle stand for: uint8 (1, H, W, 3).

    Channels stand below each other, as in fm.pictures.pictures. Of fields in metres `unit` is `m`.
    """
    keys = [bar(one, unit, height) for one in ends(codec)]
    line = np.zeros((GAP, WIDE, 3), np.uint8)
    return np.concatenate([part for key in keys for part in (line, key)][1:])[np.newaxis]


def bar(ends: Ends, unit: str, height: int) -> npt.NDArray[np.uint8]:
    """Of one channel, (height, WIDE, 3)."""
    from PIL import Image, ImageDraw, ImageFont  # of the extra `data`, as for any picture's file

    colours = in_colour(np.linspace(1, -1, height))[:, np.newaxis].repeat(BAR, axis=1)
    image = Image.fromarray(np.concatenate([colours, np.zeros((height, WIDE - BAR, 3), np.uint8)], axis=1))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=10)
    for value, place, anchor in ((ends.high, 0, "la"), (ends.middle, height // 2, "lm"), (ends.low, height - 1, "ls")):
        draw.text((BAR + GAP, place), f"{value:.4g} {unit}".strip(), fill=(INK, INK, INK), font=font, anchor=anchor)
    return np.asarray(image)
