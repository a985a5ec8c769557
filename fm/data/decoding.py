"""One image file of whatever kind as a small square array."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Condition
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from fm.data.formats import FORMATS
from fm.data.resize import resize

MAX_PIXELS = 100_000_000
BAND = 256
"""Rows of an image that are brought to grey or RGB at once."""
WHITE = (255, 255, 255, 255)
TWELVE_BITS = 4095

# A colour profile, or the text that a program keeps beside the pixels, may be longer than the megabyte Pillow allows.
PngImagePlugin.MAX_TEXT_CHUNK = 16 * 2**20


class BadImage(Exception):
    """A file that cannot be used; the message says why."""


class Decoded(NamedTuple):
    """An image as the network is to see it.

    Attributes:
        pixels: uint8 (size, size, channels).
        is_dim: whether it has 16 bits and uses 12 of them at most, as cameras and microscopes write: nearly black.

    >>> content = io.BytesIO()
    >>> Image.new("RGB", (40, 30), "white").save(content, format="PNG")
    >>> decode(content.getvalue(), size=8, channels=1).pixels.shape
    (8, 8, 1)
    """

    pixels: NDArray[np.uint8]
    is_dim: bool


class Allowance:
    """So many pixels or bytes may be in memory at once, whatever the number of threads; who wants more waits.

    >>> memory = Allowance(1000)
    >>> with memory.of(300):
    ...     memory.left
    700
    """

    def __init__(self, amount: int) -> None:
        self.left = amount
        self.changed = Condition()

    @contextmanager
    def of(self, amount: int) -> Iterator[None]:
        with self.changed:
            self.changed.wait_for(lambda: self.left >= amount)
            self.left -= amount
        try:
            yield
        finally:
            with self.changed:
                self.left += amount
                self.changed.notify_all()


AT_ONCE = Allowance(MAX_PIXELS)


def decode(content: bytes, size: int, channels: int) -> Decoded:
    """Turned upright as EXIF says, on white where transparent, its middle square resized with antialiasing.

    Args:
        content: of a file in one of FORMATS: grey, RGB, RGBA, palette, CMYK, 1, 8 or 16 bits.
        size: of the result, in pixels.
        channels: 1 for grey (ITU-R 601 luma), 3 for RGB.

    Raises:
        BadImage: damaged, cut off, animated, of more than MAX_PIXELS, or of a kind not listed above.
    """
    try:
        with Image.open(io.BytesIO(content), formats=readable()) as image:
            refuse(image)
            sixteen_bits = has_sixteen_bits(image)
            with AT_ONCE.of(image.width * image.height):
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                pixels, is_dim = flat(image, channels, sixteen_bits)
                return Decoded(resize(pixels[np.newaxis], size)[0], is_dim)
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage("no image that Pillow can read") from None
    except Exception as error:  # decoders of damaged files raise whatever they run into
        raise BadImage(" ".join(str(error).split()) or type(error).__name__) from None


@cache
def readable() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow knows: it must not be asked for others."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def refuse(image: Image.Image) -> None:
    """Raise BadImage for what is better not decoded. The size is known before a pixel is."""
    if image.width * image.height > MAX_PIXELS:
        raise BadImage(f"{image.width}x{image.height}, more than {MAX_PIXELS:,} pixels")
    # A phone's MPO file is one photograph with previews behind it.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise BadImage(f"animated or of several pages: {frames} frames")


def has_sixteen_bits(image: Image.Image) -> bool:
    """Whether a channel has 16 bits in the file, of an image not yet loaded: Pillow keeps them for grey alone."""
    return image.mode.startswith("I") or any(";16" in str(tile) for tile in getattr(image, "tile", ()))


def flat(image: Image.Image, channels: int, sixteen_bits: bool = False) -> tuple[NDArray[np.uint8], bool]:
    """The middle square of an image of any mode, uint8 (side, side, channels), and whether it is dim (Decoded).

    Band by band: the steps in between would take several times the memory of the image itself.
    """
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    pixels = np.empty((side, side, channels), dtype=np.uint8)
    is_dim = sixteen_bits
    for first in range(0, side, BAND):
        last = min(first + BAND, side)
        band = image.crop((left, top + first, left + side, top + last))
        is_dim = is_dim and largest(band) <= TWELVE_BITS
        pixels[first:last] = flat_band(band, channels)
    return pixels, is_dim


def largest(image: Image.Image) -> int:
    """The largest value of a colour, in 16 bits; of other than grey Pillow has kept the upper 8."""
    if image.mode.startswith("I"):
        return int(np.asarray(image).max())
    return int(np.asarray(image.convert("RGB")).max()) * 256


def flat_band(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    """uint8 (H, W, channels) of an image of any mode."""
    image = eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(image.height, image.width, channels)


def eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits, which Pillow would clip; the rest as it is. Raises BadImage for floats."""
    if image.mode == "F":
        raise BadImage("its pixels are floats, which have no known range; save it with 8 or 16 bits")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise BadImage("its pixels have 32 bits; save it with 8 or 16")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def to_channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """uint8 (N, H, W, 1 or 3) as grey or as RGB, (N, H, W, channels)."""
    if images.shape[3] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=3)
    return np.stack([np.asarray(Image.fromarray(image).convert("L"))[..., np.newaxis] for image in images])
