"""Every kind of file that people have becomes the same small square."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fm.data import decoding
from fm.data.decoding import BadImage, decode, to_channels

RED = (200, 40, 40)
LUMA = round(0.299 * 200 + 0.587 * 40 + 0.114 * 40)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, format=kind, **options)
    return content.getvalue()


def plain(mode: str = "RGB", colour: Any = RED, size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new(mode, size, colour)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(plain()), RED),
        (encoded(plain("L", 77)), (77,) * 3),
        (encoded(plain("1", 1)), (255,) * 3),
        (encoded(plain().quantize(4)), RED),
        (encoded(plain("RGBA", (*RED, 255))), RED),
        (encoded(plain("RGBA", (*RED, 0))), (255,) * 3),
        (encoded(plain("RGBA", (0, 0, 0, 128))), (127,) * 3),
        (encoded(plain("LA", (0, 0))), (255,) * 3),
        (encoded(plain("P", 0), transparency=0), (255,) * 3),
        (encoded(plain("I;16", 77 * 257)), (77,) * 3),
        (encoded(plain("I;16", 77 * 257), "TIFF"), (77,) * 3),
        (encoded(plain("CMYK", (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
        (encoded(plain(), "WEBP", lossless=True), RED),
        (encoded(plain(), "BMP"), RED),
        (encoded(plain(), "GIF"), RED),
    ],
    ids=["rgb", "grey", "1 bit", "palette", "rgba", "transparent", "half transparent", "grey and alpha",
         "transparent palette", "16 bit png", "16 bit tiff", "cmyk", "webp", "bmp", "gif"],
)  # fmt: skip
def test_modes(content: bytes, expected: tuple[int, ...]) -> None:
    image = decode(content, 16, 3)
    assert (image.shape, image.dtype) == ((16, 16, 3), np.uint8)
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_a_jpeg_in_cmyk() -> None:
    image = decode(encoded(plain("CMYK", (0, 255, 255, 0)), "JPEG"), 16, 3)
    assert np.abs(image.astype(int) - (255, 0, 0)).max() <= 4


def test_grey() -> None:
    image = decode(encoded(plain()), 16, 1)
    assert image.shape == (16, 16, 1)
    assert np.all(image == LUMA)


def test_sixteen_bits_keep_their_range() -> None:
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    image = decode(encoded(Image.fromarray(ramp)), 64, 1)
    assert np.abs(image[..., 0].astype(float) - ramp / 257).max() <= 0.5


def test_the_middle_square_is_cut_out() -> None:
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = 255
    assert np.all(decode(encoded(Image.fromarray(wide)), 20, 3) == 255)


def test_shrunk_with_antialiasing() -> None:
    stripes = np.zeros((64, 64), dtype=np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(decode(encoded(Image.fromarray(stripes)), 8, 1).astype(float) - 127.5).max() < 8


def test_turned_upright_as_exif_says() -> None:
    lying = np.zeros((32, 32, 3), dtype=np.uint8)
    lying[:16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # shot with the camera on its side: turn by 90 degrees clockwise
    image = decode(encoded(Image.fromarray(lying), "JPEG", quality=95, exif=exif), 32, 3)
    assert image[:, 20:].min() > 200
    assert image[:, :12].max() < 50


def frames(count: int) -> list[Image.Image]:
    return [plain(colour=(number, 0, 0)) for number in range(count)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no image that Pillow can read"),
        (b"no image at all", "no image that Pillow can read"),
        (encoded(plain())[:-30], "[Tt]runcated|broken"),
        (encoded(plain(), "JPEG")[:-200], "[Tt]runcated"),
        (encoded(frames(1)[0], "GIF", save_all=True, append_images=frames(3)[1:]), "3 frames"),
        (encoded(frames(1)[0], "PNG", save_all=True, append_images=frames(3)[1:]), "3 frames"),
        (encoded(frames(1)[0], "TIFF", save_all=True, append_images=frames(2)[1:]), "2 frames"),
        (encoded(plain("F", 0.5), "TIFF"), "floats"),
        (encoded(plain("I", 1_000_000), "TIFF"), "32 bits"),
    ],
    ids=["empty", "text", "cut png", "cut jpeg", "gif", "apng", "tiff of two pages", "floats", "32 bits"],
)
def test_what_cannot_be_used(content: bytes, why: str) -> None:
    with pytest.raises(BadImage, match=why):
        decode(content, 16, 3)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(plain("1", 0, (12_000, 12_000)))
    assert len(content) < 100_000
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(BadImage, match=f"12000x12000, more than {decoding.MAX_PIXELS:,} pixels"):
        decode(content, 16, 3)


def test_grey_and_colour_of_arrays() -> None:
    grey = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    assert np.array_equal(to_channels(grey, 1), grey)
    colour = to_channels(grey, 3)
    assert np.array_equal(colour, np.concatenate([grey] * 3, axis=3))
    assert np.array_equal(to_channels(colour, 1), grey)
