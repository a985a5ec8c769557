"""One image file of whatever kind as a small square array."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fm.data.resize import resize

MAX_PIXELS = 100_000_000
WHITE = (255, 255, 255, 255)


class BadImage(Exception):
    """A file that cannot be used; the message says why."""


def decode(content: bytes, size: int, channels: int) -> NDArray[np.uint8]:
    """Turned upright as EXIF says, on white where transparent, its middle square resized with antialiasing.

    Args:
        content: of a file that Pillow can read: grey, RGB, RGBA, palette, CMYK, 1, 8 or 16 bits.
        size: of the result, in pixels.
        channels: 1 for grey (ITU-R 601 luma), 3 for RGB.

    Returns:
        uint8 (size, size, channels).

    Raises:
        BadImage: damaged, cut off, animated, of more than MAX_PIXELS, or of a kind not listed above.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            refuse(image)
            image.load()
            pixels = flat(ImageOps.exif_transpose(image), channels)
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage("no image that Pillow can read") from None
    except Exception as error:  # decoders of damaged files raise whatever they run into
        raise BadImage(" ".join(str(error).split()) or type(error).__name__) from None
    square: NDArray[np.uint8] = resize(pixels[np.newaxis], size)[0]
    return square


def refuse(image: Image.Image) -> None:
    """Raise BadImage for what is better not decoded. The size is known before a pixel is."""
    if image.width * image.height > MAX_PIXELS:
        raise BadImage(f"{image.width}x{image.height}, more than {MAX_PIXELS:,} pixels")
    # A phone's MPO file is one photograph with previews behind it.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise BadImage(f"animated or of several pages: {frames} frames")


def flat(image: Image.Image, channels: int) -> NDArray[np.uint8]:
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
