"""Moving pictures for people: videos as they are, volumes as they turn; animated WebP files of either."""

import io

import numpy as np
import numpy.typing as npt

from fm.codecs import Codec, Described
from fm.images import Images, grid, reduced

Films = npt.NDArray[np.uint8]
"""(B, T, H, W, 1 or 3)."""

TIMES = ("frame", "ms", "s", "min", "h", "d")
"""Units of an axis along which things move."""
HALF = 128
FARTHEST = 0.35  # how bright the back is, by the front


def turning(volumes: npt.NDArray[np.uint8], frames: int = 24) -> Films:
    """Volumes (B, D, H, W, 1) that turn once about their height, seen from the front: (B, frames, H, side, 1).

    What is filled is the brighter the nearer it is. The side is such that nothing leaves the picture as it turns.

    >>> turning(np.full((2, 8, 8, 8, 1), 255, np.uint8), frames=4).shape
    (2, 4, 8, 12, 1)
    """
    _, depth, _, width, _ = volumes.shape
    side = int(np.ceil(np.hypot(depth, width)))
    filled = volumes[..., 0] >= HALF
    angles = 2 * np.pi * np.arange(frames) / frames
    return np.stack([seen(filled, angle, side) for angle in angles], axis=1)[..., np.newaxis]


def seen(filled: npt.NDArray[np.bool_], angle: float, side: int) -> npt.NDArray[np.uint8]:
    """From the front, which is where depth ends, after a turn: (B, D, H, W) -> (B, H, side)."""
    _, depth, _, width = filled.shape
    front, across = np.mgrid[:side, :side] - (side - 1) / 2
    from_back = np.rint(np.cos(angle) * front - np.sin(angle) * across + (depth - 1) / 2).astype(np.int64)
    from_left = np.rint(np.sin(angle) * front + np.cos(angle) * across + (width - 1) / 2).astype(np.int64)
    within = (from_back >= 0) & (from_back < depth) & (from_left >= 0) & (from_left < width)
    turned = filled[:, from_back.clip(0, depth - 1), :, from_left.clip(0, width - 1)]  # (side, side, B, H)
    turned = np.moveaxis(turned & within[:, :, np.newaxis, np.newaxis], (0, 1), (1, 3))[:, ::-1]  # the nearest first
    nearness = 1 - (1 - FARTHEST) * turned.argmax(axis=1) / (side - 1)
    bright: npt.NDArray[np.uint8] = np.rint(255 * np.where(turned.any(axis=1), nearness, 0)).astype(np.uint8)
    return bright


def films(stored: npt.NDArray[np.generic], codec: Codec) -> Films | None:
    """Data as stored (B, *stored) as they move: videos as they are, volumes as they turn; None of what stands still.

    What they are is told by the unit of their first axis; where the codec says none, they are videos.

    >>> from fm.codecs import Pixels
    >>> voxels = Pixels((8, 8, 8, 1), spacing_units=("voxel", "voxel", "voxel"))
    >>> films(np.zeros((2, 8, 8, 8, 1), np.uint8), voxels).shape
    (2, 24, 8, 12, 1)
    """
    if not moves(codec):
        return None
    pixels = stored.astype(np.uint8, copy=False)
    return pixels if along_time(codec) else turning(pixels)


def moves(codec: Codec) -> bool:
    """Whether what a codec stores is shown as it moves."""
    channels = (1, 3) if along_time(codec) else (1,)
    return codec.dtype == "uint8" and len(codec.stored) == 4 and codec.stored[-1] in channels


def along_time(codec: Codec) -> bool:
    units = codec.spacing_units if isinstance(codec, Described) else ()
    return not units or units[0] in TIMES


def film_sheet(films: Films, columns: int) -> Images:
    """Films beside and below each other, playing together: the frames of one film, (T, H', W', 1 or 3)."""
    return np.stack([grid(frames, columns) for frames in films.swapaxes(0, 1)])


def playing(stored: npt.NDArray[np.generic], codec: Codec, columns: int, most_pixels: int = 128) -> bytes | None:
    """Data as they move, row by row on grey in one animated WebP file, larger ones made smaller; None of what stands
    still.

    >>> from fm.codecs import Pixels
    >>> film = np.zeros((4, 3, 8, 8, 1), np.uint8)
    >>> playing(film, Pixels(film.shape[1:]), columns=2)[:4]
    b'RIFF'
    """
    if (moving := films(stored, codec)) is None:
        return None
    count, frames = moving.shape[:2]
    small = reduced(moving.reshape(-1, *moving.shape[2:]), most_pixels)
    return webp(film_sheet(small.reshape(count, frames, *small.shape[1:]), columns))


def webp(frames: Images, milliseconds: int = 100) -> bytes:
    """An animated WebP file of frames (T, H, W, 1) grey or (T, H, W, 3) colour, without loss, that begins again."""
    return animated(frames, milliseconds, "WEBP", lossless=True, exact=True)


def gif(frames: Images, milliseconds: int = 100) -> bytes:
    """An animated GIF file of the same, in 256 colours a frame, shown for hundredths of a second."""
    return animated(frames, milliseconds, "GIF")


def animated(frames: Images, milliseconds: int, kind: str, **options: bool) -> bytes:
    from PIL import Image  # of the extra `data`: arrays are made and measured without it

    first, *others = (
        Image.fromarray(np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame) for frame in frames
    )
    content = io.BytesIO()
    first.save(content, kind, save_all=True, append_images=others, duration=milliseconds, loop=0, **options)
    return content.getvalue()
