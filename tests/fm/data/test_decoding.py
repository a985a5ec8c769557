"""Every kind of file that people have becomes the same small square."""

import io
import random
import threading
import time
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fm.data import decoding
from fm.data.decoding import Allowance, BadImage, flat, flat_band, to_channels

RED = (200, 40, 40)
LUMA = round(0.299 * 200 + 0.587 * 40 + 0.114 * 40)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, format=kind, **options)
    return content.getvalue()


def plain(mode: str = "RGB", colour: Any = RED, size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new(mode, size, colour)


def decode(content: bytes, size: int, channels: int) -> NDArray[np.uint8]:
    return decoding.decode(content, size, channels).pixels


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


def test_no_content_starts_another_program() -> None:
    """Pillow hands EPS to Ghostscript, whatever the file's name is."""
    with pytest.raises(BadImage, match="no image that Pillow can read"):
        decode(encoded(plain(), "EPS"), 16, 3)


@pytest.mark.parametrize(
    ("kind", "start"), [(b"iCCP", b"printer\0\0"), (b"zTXt", b"workflow\0\0"), (b"iTXt", b"workflow\0\1\0\0\0")]
)
def test_a_profile_or_a_text_may_be_longer_than_a_megabyte(kind: bytes, start: bytes) -> None:
    content = encoded(plain())
    chunk = kind + start + zlib.compress(bytes(2_000_000))
    length, checksum = ((len(chunk) - 4).to_bytes(4, "big"), zlib.crc32(chunk).to_bytes(4, "big"))
    after_header = 33
    content = content[:after_header] + length + chunk + checksum + content[after_header:]
    assert np.array_equal(decode(content, 16, 3), decode(encoded(plain()), 16, 3))


@pytest.mark.parametrize(("largest", "expected"), [(4095, True), (4096, False), (65535, False)])
def test_twelve_bits_in_sixteen_are_noticed(largest: int, expected: bool) -> None:
    ramp = np.linspace(0, largest, 600 * 600).astype(np.uint16).reshape(600, 600)
    for kind in ("PNG", "TIFF"):
        assert decoding.decode(encoded(Image.fromarray(ramp), kind), 8, 1).is_dim == expected
    assert not decoding.decode(encoded(plain("L", 1)), 8, 1).is_dim


def sixteen_bit_png(values: NDArray[np.uint16]) -> bytes:
    """A PNG of (H, W, channels) with 16 bits a channel, which Pillow writes for grey alone."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, kind, 0, 0, 0])
    chunks = [b"IHDR" + header, b"IDAT" + zlib.compress(rows), b"IEND"]
    framed = [(len(c) - 4).to_bytes(4, "big") + c + zlib.crc32(c).to_bytes(4, "big") for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("largest", "expected"), [(4095, True), (4096, False)])
def test_twelve_bits_in_sixteen_are_noticed_in_colour_too(channels: int, largest: int, expected: bool) -> None:
    values = np.full((9, 9, channels), largest, dtype=np.uint16)
    if channels % 2 == 0:
        values[..., -1] = 65535  # opaque
    assert decoding.decode(sixteen_bit_png(values), 8, 3).is_dim == expected


@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK", "P", "I;16", "1"])
@pytest.mark.parametrize("size", [(300, 700), (700, 300)])
def test_an_image_in_bands_is_the_image_in_one(mode: str, size: tuple[int, int]) -> None:
    noise = Image.frombytes("RGBA", size, random.Random(0).randbytes(4 * size[0] * size[1]))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(noise).view(np.uint16)[..., 0].copy())
    else:
        image = noise.convert("L" if mode == "1" else "RGB" if mode in ("CMYK", "P") else mode).convert(mode)
    left, top = (size[0] - 300) // 2, (size[1] - 300) // 2
    for channels in (1, 3):
        whole = flat_band(image, channels)[top : top + 300, left : left + 300]
        assert np.array_equal(flat(image, channels)[0], whole)


def test_so_many_pixels_at_once_and_no_more() -> None:
    allowance, now, most = Allowance(10), [], []

    def work(pixels: int) -> None:
        with allowance.of(pixels):
            now.append(pixels)
            most.append(sum(now))
            time.sleep(0.002)
            now.remove(pixels)

    threads = [threading.Thread(target=work, args=(1 + number % 10,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 30
    assert max(most) <= 10


def test_grey_and_colour_of_arrays() -> None:
    grey = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    assert np.array_equal(to_channels(grey, 1), grey)
    colour = to_channels(grey, 3)
    assert np.array_equal(colour, np.concatenate([grey] * 3, axis=3))
    assert np.array_equal(to_channels(colour, 1), grey)
