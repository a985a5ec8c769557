"""Whether a picture is found by its caption: its own one among those of others (R-precision, Xu et al. 2017, arXiv
1711.10485, section 4)."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def ranks(pictures: Floats, captions: Floats, own: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many captions are at least as similar to a picture as its own one is, int64 (N,); 0 is best.

    Args:
        pictures: of length 1, (N, D).
        captions: all there are, each once, of length 1, (M, D).
        own: which of them is each picture's, (N,).

    >>> ranks(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.array([0, 1, 0]))
    array([0, 0, 2])
    """
    similar = pictures @ captions.T
    # By the same product, so that a caption is exactly as similar as itself.
    of_own = similar[np.arange(len(own)), own]
    found: NDArray[np.int64] = (similar >= of_own[:, None]).sum(axis=1) - 1
    return found


def found_at(ranks: NDArray[np.int64], first: int, among: int, captions: int) -> NDArray[np.float64]:
    """How likely a picture's own caption is one of the `first` most similar, where the others are drawn at random so
    that there are `among` in all, float64 (N,): 0 or 1 where these are all captions.

    Args:
        ranks: of each picture's own among all of so many captions.

    >>> found_at(np.array([0, 1, 4]), first=1, among=3, captions=5)
    array([1. , 0.5, 0. ])
    """
    from scipy.stats import hypergeom  # takes a second, which checking settings can do without

    others = captions - 1
    chances: NDArray[np.float64] = hypergeom.cdf(first - 1, others, ranks, min(among, captions) - 1)
    return chances
