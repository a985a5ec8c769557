"""What is measured of videos of a few bright things that fly on a dark ground and bounce: uint8 (N, T, H, W, 1).

Their law is known (fm.bouncing): straight on at one speed, back at the walls. A thing is followed by its centre of
mass, which moves as far as it does; then the law is found that fits where it was seen best. So a speed needs no
network, and neither does how far the frames are from any such law.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fm.bouncing import bounced

Videos = npt.NDArray[np.uint8]
Tracks = npt.NDArray[np.float64]

DARK = 24
"""Grey levels up to which there is nothing."""
JOINED = 3
"""What lies so many pixels apart is one thing: the straps of a sandal."""
LEAST = 0.1
"""What has less than this share of a frame's brightness is dirt and no thing."""
FASTEST = 5.0
"""Pixels a frame along an axis that a law may have."""
FINEST = 0.002
"""Pixels a frame to which a law is found."""
SEEN = 4
"""In how many frames a thing must be seen, at least, to have a law."""


def things(videos: Videos) -> npt.NDArray[np.int64]:
    """How many there are, as far as a frame shows them apart: the most that one does, (N,).

    >>> film = np.zeros((1, 2, 8, 8, 1), np.uint8)
    >>> film[0, :, 0, 0], film[0, 1, 7, 7] = 255, 255
    >>> things(film)
    array([2])
    """
    return np.array([max(len(centres(frame)) for frame in video) for video in videos[..., 0]], dtype=np.int64)


def tracks(videos: Videos, things: int) -> Tracks:
    """Rows and columns of the centres of so many things in each frame: (N, things, T, 2).

    Not a number in frames that show another number of things: one of two before the other, or more than there were.
    Which is which is told from frame to frame by the shorter way.

    >>> film = np.zeros((1, 3, 8, 8, 1), np.uint8)
    >>> film[0, [0, 1, 2], [2, 2, 2], [1, 2, 3]] = 255
    >>> tracks(film, things=1)[0, 0].tolist()
    [[2.0, 1.0], [2.0, 2.0], [2.0, 3.0]]
    """
    found = np.full((len(videos), things, videos.shape[1], 2), np.nan)
    for video, track in zip(videos[..., 0], found, strict=True):
        last = None
        for number, frame in enumerate(video):
            seen = centres(frame)
            if len(seen) != things:
                continue
            last = seen if last is None else in_order(seen, last)
            track[:, number] = last
    return found


def centres(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Centres of mass of the things in a frame (H, W), the brightest first: (things, 2)."""
    from scipy import ndimage  # takes a moment, which checking settings can do without

    bright = np.where(frame > DARK, frame, 0).astype(np.float64)
    number, count = ndimage.label(ndimage.binary_dilation(bright > 0, iterations=JOINED // 2), np.ones((3, 3)))
    mass = ndimage.sum_labels(bright, number, np.arange(1, count + 1))
    things = 1 + np.flatnonzero(mass > LEAST * mass.sum())
    things = things[np.argsort(-mass[things - 1], kind="stable")]
    found: npt.NDArray[np.float64] = np.reshape(ndimage.center_of_mass(bright, number, things), (-1, 2))
    return found


def in_order(seen: npt.NDArray[np.float64], last: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same places (things, 2), each where the one was that can have come here by the shortest ways of all."""
    from scipy.optimize import linear_sum_assignment

    apart = np.linalg.norm(last[:, np.newaxis] - seen, axis=-1)
    found: npt.NDArray[np.float64] = seen[linear_sum_assignment(apart)[1]]
    return found


class Law(NamedTuple):
    """The law that things follow best.

    Attributes:
        speed: (...,) pixels a frame.
        residual: (...,) pixels, root mean square of how far they are from where the law has them.

    >>> Law._fields
    ('speed', 'residual')
    """

    speed: npt.NDArray[np.float64]
    residual: npt.NDArray[np.float64]


def law(tracks: Tracks, span: float) -> Law:
    """Of things (..., T, 2) that may move by `span` pixels along either axis.

    Not a number of one that is seen in fewer than SEEN frames.

    >>> times = np.arange(16)
    >>> track = np.stack([bounced(3 + 1.5 * times, span=18), bounced(17 - 2 * times, span=18)], axis=-1)
    >>> found = law(5 + track, span=18)
    >>> bool(abs(found.speed - 2.5) < 0.01), bool(found.residual < 0.02)
    (True, True)
    """
    speed, squares = along_axis(np.moveaxis(tracks, -1, -2).reshape(-1, tracks.shape[-2]), span)
    both = (*tracks.shape[:-2], 2)
    return Law(np.linalg.norm(speed.reshape(both), axis=-1), np.sqrt(squares.reshape(both).sum(axis=-1)))


def along_axis(places: npt.NDArray[np.float64], span: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Speed, at least 0, and mean squared residual of paths (M, T) along one axis: (M,) each.

    The best of a grid of speeds and beginnings, then of finer ones round it. Where a thing's centre is within it is
    free: the mean of what is left over.
    """
    speed, start = np.meshgrid(np.arange(0, FASTEST, 0.1), np.arange(0, 2 * span, 0.5), indexing="ij")
    found = [best(path, speed.ravel(), start.ravel(), span) for path in places]
    return np.array([one[0] for one in found]), np.array([one[1] for one in found])


def best(
    path: npt.NDArray[np.float64], speed: npt.NDArray[np.float64], start: npt.NDArray[np.float64], span: float
) -> tuple[float, float]:
    """Of these speeds and beginnings (K,) and of those between: the speed that fits a path (T,) and its mean square."""
    times = np.flatnonzero(np.isfinite(path))
    if len(times) < SEEN:
        return np.nan, np.nan
    reach = 0.1, 0.5
    while True:
        apart = path[times] - bounced(start[:, np.newaxis] + speed[:, np.newaxis] * times, span)
        squares = apart.var(axis=1)
        at = int(np.argmin(squares))
        if reach[0] < FINEST:
            return float(speed[at]), float(squares[at])
        near = np.meshgrid(*(np.linspace(-1, 1, 9) * one for one in reach), indexing="ij")
        speed, start = np.maximum(speed[at] + near[0].ravel(), 0), start[at] + near[1].ravel()
        reach = reach[0] / 3, reach[1] / 3


def flicker(videos: Videos) -> npt.NDArray[np.float64]:
    """How much a video's brightness changes from frame to frame: root mean square, by its mean brightness: (N,).

    0 of what only moves, alone and whole; not a number of a black one.

    >>> film = np.array([100, 110, 100], np.uint8).reshape(1, 3, 1, 1, 1)
    >>> flicker(film).round(4)
    array([0.0968])
    """
    bright = videos.reshape(*videos.shape[:2], -1).mean(axis=-1, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        found: npt.NDArray[np.float64] = np.sqrt((np.diff(bright, axis=1) ** 2).mean(axis=1)) / bright.mean(axis=1)
    return found


def likeness(videos: Videos) -> npt.NDArray[np.float64]:
    """How alike what is in a frame is to what is in all together, each moved until its centre of mass is in the middle:
    the cosine in the frame where it is least, (N,).

    Of a thing that only moves nearly 1; not a number of a video with a frame that shows nothing.

    >>> film = np.zeros((1, 2, 8, 8, 1), np.uint8)
    >>> film[0, 0, 1:3, 1:4], film[0, 1, 4:6, 3:6] = 255, 255
    >>> likeness(film).round(6)
    array([1.])
    """
    found = np.full(len(videos), np.nan)
    for number, video in enumerate(videos[..., 0]):
        frames = np.where(video > DARK, video, 0).astype(np.float64)
        if (frames.sum(axis=(1, 2)) == 0).any():
            continue
        moved = np.stack([centred(frame) for frame in frames]).reshape(len(frames), -1)
        together = moved.mean(axis=0)
        found[number] = (moved @ together / np.linalg.norm(moved, axis=1)).min() / np.linalg.norm(together)
    return found


def centred(frame: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A frame (H, W) moved so that its centre of mass is in its middle; what lies between points is shared by them."""
    from scipy import ndimage

    middle = (np.array(frame.shape) - 1) / 2
    moved: npt.NDArray[np.float64] = ndimage.shift(frame, middle - ndimage.center_of_mass(frame), order=1)
    return moved
