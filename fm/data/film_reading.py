"""The frames of moving pictures, small, and when each of them is shown.

Animated GIF, WebP and PNG are read by Pillow, films by PyAV, which is optional.

Source: https://pillow.readthedocs.io/en/stable/handbook/image-file-formats.html, https://pyav.basswood-io.com/docs/stable
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fm.data.decoding import MAX_PIXELS, BadImage, flat, to_channels
from fm.data.own_data import damaged_otherwise
from fm.data.resize import resize
from fm.errors import UserError

ANIMATED = (".gif", ".webp", ".png", ".apng")
FILMS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ogv")
FORMATS = ("GIF", "WEBP", "PNG")
UNSAID = 0.1  # seconds that browsers show a frame for whose file says nothing
MOST_FRAMES = 20_000
"""Of an animated picture, all of whose frames are in memory, small."""
BYTES = 2**30
"""In an animated picture's file."""


class Times(NamedTuple):
    """When the frames of a film are shown.

    Attributes:
        begins: float64 (n,), seconds from the beginning.
        end: of the last one.

    >>> Times(np.array([0.0, 0.1]), 0.2).end
    0.2
    """

    begins: NDArray[np.float64]
    end: float


Choose = Callable[[Times], NDArray[np.int64]]
"""Which frames are wanted, by their numbers, in any shape."""


class Read(NamedTuple):
    """What has been read of a film.

    Attributes:
        frames: uint8 (*wanted, side, side, channels).
        times: of all its frames.
        wanted: the numbers of those frames.

    >>> Read._fields
    ('frames', 'times', 'wanted')
    """

    frames: NDArray[np.uint8]
    times: Times
    wanted: NDArray[np.int64]


def read_film(path: Path, side: int, channels: int, choose: Choose) -> Read:
    """The wanted frames of a film, each on white where transparent, its middle square resized with antialiasing.

    Args:
        side: of the result, in pixels.
        channels: 1 for grey, 3 for RGB.

    Raises:
        BadImage: damaged, cut off, of more than MAX_PIXELS or MOST_FRAMES, or no film at all.
        OSError: the file cannot be read.
    """
    with damaged_otherwise(path):
        if path.suffix.lower() in FILMS:
            return by_pyav(path, side, channels, choose)
        return by_pillow(path.read_bytes(), side, channels, choose)


def by_pillow(content: bytes, side: int, channels: int, choose: Choose) -> Read:
    """Of an animated picture. A frame that no time is said of is shown for UNSAID, as browsers do."""
    if len(content) > BYTES:
        raise BadImage(f"a file of {len(content):,} bytes, more than {BYTES:,}")
    small, seconds = [], []
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            require_size(image.width, image.height)
            count = getattr(image, "n_frames", 1)
            if count > MOST_FRAMES:
                raise BadImage(f"{count:,} frames, more than {MOST_FRAMES:,}: save it as a film, as MP4")
            first = 1 if image.info.get("default_image") and count > 1 else 0  # of an APNG, shown where nothing moves
            for number in range(first, count):
                image.seek(number)
                image.load()
                small.append(resize(flat(image, channels)[0][np.newaxis], side)[0])
                seconds.append(image.info.get("duration", 0) / 1000 or UNSAID)
    except UnidentifiedImageError:
        raise BadImage("no animated picture that Pillow can read") from None
    ends = np.cumsum(seconds)
    times = Times(np.concatenate([[0.0], ends[:-1]]), float(ends[-1]))
    wanted = choose(times)
    return Read(np.stack(small)[wanted], times, wanted)


def require_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadImage(f"{width}x{height}, more than {MAX_PIXELS:,} pixels")


def by_pyav(path: Path, side: int, channels: int, choose: Choose) -> Read:
    """Of a film. Its packets say when frames are shown; only those that are wanted are brought to pixels."""
    av = pyav()
    with path.open("rb"):  # whose error says what is wrong with the file, where FFmpeg's says of all that it is damaged
        pass
    try:
        return decoded(av, path, side, channels, choose)
    except av.error.FFmpegError as error:
        raise BadImage(f"damaged or cut off: {error.strerror}") from None


def decoded(av: Any, path: Path, side: int, channels: int, choose: Choose) -> Read:
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise BadImage("there are no moving pictures in it")
        stream = container.streams.video[0]
        require_size(stream.codec_context.width, stream.codec_context.height)
        stamps, times = stamps_of(container, stream)
    wanted = choose(times)
    places = {int(stamps[number]): number for number in np.unique(wanted)}
    frames: dict[int, NDArray[np.uint8]] = {}
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if (number := places.get(frame.pts)) is not None:
                frames[number] = small_frame(frame, side, channels)
                if len(frames) == len(places):
                    break
    if missing := sorted(set(places.values()) - set(frames)):
        raise BadImage(f"{len(missing)} of its frames cannot be decoded, the first at {times.begins[missing[0]]:.2f} s")
    small = np.empty((*wanted.shape, side, side, channels), np.uint8)
    for place, number in np.ndenumerate(wanted):
        small[place] = frames[int(number)]
    return Read(small, times, wanted)


def stamps_of(container: Any, stream: Any) -> tuple[list[int], Times]:
    """Of each frame in the order that they are shown in, in the stream's own unit and in seconds."""
    shown = {
        packet.pts: packet.duration
        for packet in container.demux(stream)
        if packet.pts is not None and packet.size and not packet.is_discard
    }
    if not shown:
        raise BadImage("nothing in it says when its pictures are shown; save it as MP4")
    stamps = sorted(shown)
    begins = np.array([float((stamp - stamps[0]) * stream.time_base) for stamp in stamps])
    usual = float(np.median(np.diff(begins))) if len(begins) > 1 else UNSAID
    last = float((shown[stamps[-1]] or 0) * stream.time_base) or usual
    return stamps, Times(begins, float(begins[-1]) + last)


def small_frame(frame: Any, side: int, channels: int) -> NDArray[np.uint8]:
    """Upright, as a telephone says how it was held."""
    pixels: NDArray[np.uint8] = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    height, width, _ = pixels.shape
    middle = min(height, width)
    top, left = (height - middle) // 2, (width - middle) // 2
    square = np.ascontiguousarray(pixels[top : top + middle, left : left + middle])
    small: NDArray[np.uint8] = resize(to_channels(square[np.newaxis], channels), side)[0]
    return small


def pyav() -> Any:
    """Raises UserError: it is not installed."""
    try:
        import av
    except ImportError:
        raise UserError(
            f"films ({', '.join(FILMS)}) are read by PyAV, which is not installed: pip install av, or the extra "
            "`video`; or save them as animated WebP or GIF"
        ) from None
    return av
