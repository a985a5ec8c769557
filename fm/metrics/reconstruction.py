"""How well pictures are given back."""

import time
from math import prod
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from fm.codecs import Codec
from fm.codecs.measuring import chunks
from fm.data.rows import Rows
from fm.images import Images

MOST_DB = 100.0
"""What a picture counts for that is given back to the last bit."""


def psnr(images: Images, others: Images) -> npt.NDArray[np.float64]:
    """Peak signal-to-noise ratio of each pair of pictures (N, H, W, C) in dB, (N,): 10 log10 of 255 squared by the mean
    squared difference; infinite where there is none.

    >>> psnr(np.zeros((1, 8, 8, 1), np.uint8), np.full((1, 8, 8, 1), 255, np.uint8))
    array([0.])
    """
    apart = (images.astype(np.float64) - others).reshape(len(images), -1)
    with np.errstate(divide="ignore"):
        found: npt.NDArray[np.float64] = 10 * np.log10(255**2 / (apart**2).mean(axis=1))
    return found


class Seeing(Protocol):
    """What is needed of an extractor (fm.metrics.extractors).

    >>> class Means:
    ...     def features(self, images):
    ...         return images.mean(axis=(1, 2), dtype=np.float32)
    >>> seeing: Seeing = Means()
    """

    def features(self, images: Images) -> npt.NDArray[np.float32]: ...


class GivenBack(NamedTuple):
    """Pictures that a codec has encoded and decoded.

    Attributes:
        psnr: of each, in dB, at most MOST_DB: (N,).
        features: of what is given back, float32 (N, D).
        encoding, decoding: seconds that a picture takes.

    >>> GivenBack(np.array([28.1]), np.zeros((1, 4), np.float32), encoding=0.01, decoding=0.02).psnr.mean()
    np.float64(28.1)
    """

    psnr: npt.NDArray[np.float64]
    features: npt.NDArray[np.float32]
    encoding: float
    decoding: float


def given_back(codec: Codec, extractor: Seeing, pictures: Rows) -> GivenBack:
    """Every picture encoded, as it is on average where the codec draws, and decoded, some at a time.

    >>> from fm.codecs import Pixels
    >>> from fm.data.rows import Arrays
    >>> class Means:
    ...     def features(self, images):
    ...         return images.mean(axis=(1, 2), dtype=np.float32)
    >>> given_back(Pixels((8, 8, 3)), Means(), Arrays({"data": np.zeros((5, 8, 8, 3), np.uint8)})).psnr
    array([100., 100., 100., 100., 100.])
    """
    codec.decode(codec.encode(pictures[np.arange(1)]["data"]))  # the first call is slow, and is not to be timed
    clocks, ratios, features = np.zeros(2), [], []
    for some in chunks(len(pictures), prod(codec.stored)):
        real = pictures[some]["data"]
        started = time.perf_counter()
        encoded = codec.encode(real)
        between = time.perf_counter()
        made = codec.decode(encoded)
        clocks += between - started, time.perf_counter() - between
        ratios.append(np.minimum(psnr(made, real), MOST_DB))
        features.append(extractor.features(made))
    encoding, decoding = (float(seconds) for seconds in clocks / len(pictures))
    return GivenBack(np.concatenate(ratios), np.concatenate(features), encoding, decoding)
