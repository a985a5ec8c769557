"""Moving garments: one or two of Fashion-MNIST, half their size, that fly through 16 frames of 32x32 and bounce.

Where each garment is in each frame is known exactly, and so is how fast it flies: what lies between two points of the
grid is shared by both in proportion. Made as moving MNIST is (Srivastava et al. 2015, arXiv 1502.04681), of the
pictures of Xiao et al. 2017, arXiv 1708.07747; those of the test split are moved to test with.
"""

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fm.bouncing import bounced
from fm.components import Choice, option
from fm.data import fashion_mnist
from fm.data.coded import CodedSplits
from fm.data.dataset import CodedDataset, Request
from fm.data.rows import Arrays
from fm.data.splits import Splits

FRAMES, SIDE, GARMENT = 16, 32, 14
SPAN = SIDE - GARMENT
"""Pixels that a garment can be moved by in either direction."""
SLOWEST, FASTEST = 1.0, 3.0  # pixels a frame
MOST = 2  # garments that there is room for beside a video
AT_ONCE = 500  # videos


class MovingGarments(
    CodedDataset,
    name="moving-garments",
    says="videos of one or two garments that fly and bounce, 16 frames of 32x32 grey pixels, with ten labels",
    source="Srivastava et al. 2015, arXiv 1502.04681; Xiao et al. 2017, arXiv 1708.07747",
):
    """uint8 (16, 32, 32, 1), under the label of their garments: two in one video are two of one kind.

    Beside them lie, for whoever measures: `garments`, their number; `position`, float32 (2, 16, 2), the row and the
    column of each one's first pixel in each frame; and `velocity`, float32 (2, 2), rows and columns a frame before the
    first bounce. Of a second garment that is not there they are not a number.

    >>> MovingGarments(train=10_000).test
    1000
    """

    defaults: ClassVar = {"dataset": {"licence": "Fashion-MNIST by Zalando, MIT"}}
    train: int = option(8000, least=10, most=10**6, says="videos to train with")
    test: int = option(1000, least=10, most=10**6, says="videos to test with")
    most: int = option(2, choices=(1, 2), says="garments in a video, at most")
    seed: int = option(0, least=0, most=2**32, says="of which garments they are and how they fly")

    @property
    def measures(self) -> Choice:
        return {"name": "motion", "span": SPAN, "slowest": SLOWEST, "fastest": FASTEST}

    def load(self, asked: Request) -> CodedSplits:
        """Raises DatasetUnavailable: there are no garments to be had."""
        return self.made_of(fashion_mnist.load(asked.cache))

    def made_of(self, garments: Splits) -> CodedSplits:
        """Of pictures that are there."""
        from fm.codecs import Pixels  # whoever only asks what datasets there are needs no networks
        from fm.conditions import Labels

        train, test = (
            videos(images, labels, self.most, count, np.random.default_rng((self.seed, split)))
            for split, (images, labels, count) in enumerate(
                [
                    (garments.train_images, garments.train_labels, self.train),
                    (garments.test_images, garments.test_labels, self.test),
                ]
            )
        )
        return CodedSplits(
            train,
            test,
            Pixels((FRAMES, SIDE, SIDE, 1), spacing=(1.0, 1.0, 1.0), spacing_units=("frame", "pixel", "pixel")),
            Labels(garments.label_names),
            garments.origin,
        )


class Flights(NamedTuple):
    """How garments fly.

    Attributes:
        position: float64 (N, 2, 16, 2), as MovingGarments has it beside its videos.
        velocity: float64 (N, 2, 2).

    >>> flights(5, np.random.default_rng(0)).position.shape
    (5, 2, 16, 2)
    """

    position: NDArray[np.float64]
    velocity: NDArray[np.float64]


def flights(count: int, random: np.random.Generator) -> Flights:
    """Of two garments in each of so many videos, from anywhere to anywhere, at speeds from SLOWEST to FASTEST."""
    start = random.uniform(0, SPAN, (count, MOST, 2))
    speed, angle = random.uniform(SLOWEST, FASTEST, (count, MOST)), random.uniform(0, 2 * np.pi, (count, MOST))
    velocity = np.stack([speed * np.sin(angle), speed * np.cos(angle)], axis=-1)
    flown = start[:, :, np.newaxis] + velocity[:, :, np.newaxis] * np.arange(FRAMES)[:, np.newaxis]
    return Flights(bounced(flown, SPAN), velocity)


def videos(
    images: NDArray[np.uint8], labels: NDArray[np.int64], most: int, count: int, random: np.random.Generator
) -> Arrays:
    """So many videos of at most so many garments (N, 28, 28, 1), with all that is known; the labels come in turn."""
    label = np.arange(count) % (int(labels.max()) + 1)
    chosen = of_labels(labels, label, random)
    number = random.integers(1, most, count, endpoint=True)
    flight = flights(count, random)
    frames = np.zeros((count, FRAMES, SIDE, SIDE, 1), np.uint8)
    for some in (slice(first, first + AT_ONCE) for first in range(0, count, AT_ONCE)):
        frames[some, ..., 0] = filmed(halved(images[chosen[some]]), flight.position[some], number[some])
    absent = np.arange(MOST) >= number[:, np.newaxis]
    for known in flight:
        known[absent] = np.nan
    return Arrays(
        {
            "data": frames,
            "label": label,
            "garments": number,
            "position": flight.position.astype(np.float32),
            "velocity": flight.velocity.astype(np.float32),
        }
    )


def of_labels(labels: NDArray[np.int64], wanted: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of two garments of each of the labels wanted (N,), each drawn by itself: (N, 2)."""
    by_label = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    return np.stack([random.choice(by_label[label], MOST) for label in wanted])


def halved(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(..., 28, 28, 1) -> (..., 14, 14), the mean of four pixels each."""
    *others, height, width, _ = images.shape
    halves: NDArray[np.float64] = images.reshape(*others, height // 2, 2, width // 2, 2).mean(axis=(-3, -1))
    return halves


def filmed(
    garments: NDArray[np.float64], position: NDArray[np.float64], number: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Videos (N, 16, 32, 32) of the first `number` of garments (N, 2, 14, 14); where two are, the brighter is seen."""
    film = np.zeros((len(garments), FRAMES, SIDE, SIDE))
    for which in range(MOST):
        there = np.flatnonzero(number > which)
        for frame in range(FRAMES):
            seen = placed(garments[there, which], position[there, which, frame])
            film[there, frame] = np.maximum(film[there, frame], seen)
    return np.rint(film).astype(np.uint8)


def placed(garments: NDArray[np.float64], position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Garments (N, 14, 14) in frames (N, 32, 32), with their first pixels at rows and columns (N, 2) from 0 to SPAN.

    One that lies between points is shared by them in proportion, so that its centre of mass is moved as far as it is.
    """
    whole = np.floor(position).astype(np.int64)
    (down, right) = (position - whole).T[..., np.newaxis, np.newaxis]
    spread = np.zeros((len(garments), GARMENT + 1, GARMENT + 1))
    for row, share_of_row in enumerate((1 - down, down)):
        for column, share_of_column in enumerate((1 - right, right)):
            spread[:, row : row + GARMENT, column : column + GARMENT] += share_of_row * share_of_column * garments
    frames = np.zeros((len(garments), SIDE + 1, SIDE + 1))  # a last line for a share of nothing
    rows, columns = whole.T[..., np.newaxis] + np.arange(GARMENT + 1)
    frames[np.arange(len(garments))[:, np.newaxis, np.newaxis], rows[:, :, np.newaxis], columns[:, np.newaxis]] = spread
    return frames[:, :SIDE, :SIDE]
