"""How well pictures are given back."""

import numpy as np
import numpy.typing as npt

from fm.images import Images


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
