"""Handwritten digits of 8x8 pixels, which come with scikit-learn: always at hand, small enough for quick tests.

Source: https://archive.ics.uci.edu/dataset/80 (its test part, 1797 images).
"""

import numpy as np

from fm.data.dataset import Dataset, Request
from fm.data.splits import Splits

NUM_TEST = 297


class Digits(
    Dataset,
    name="digits",
    says="1,797 handwritten digits of 8x8 grey pixels, which come with scikit-learn",
    source="https://archive.ics.uci.edu/dataset/80",
):
    """`load` of this module.

    >>> Dataset.of("digits")
    Digits()
    """

    def load(self, asked: Request) -> Splits:
        return load()


def load() -> Splits:
    """The 1797 digits as uint8 (N, 8, 8, 1): 1500 to train with, 297 to test with.

    The split needs no seed: sort by label (images of one label keep their order) and take 297
    positions evenly spaced. So each label has its share of the test split to within one image,
    drawn from the whole length of the file and thus from all who wrote it.
    """
    from sklearn.datasets import load_digits  # takes a second, and only this dataset needs it

    data = load_digits()
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    labels = data.target.astype(np.int64)

    total = len(labels)
    middles = (2 * np.arange(NUM_TEST) + 1) * total // (2 * NUM_TEST)
    is_test = np.zeros(total, dtype=bool)
    is_test[np.argsort(labels, kind="stable")[middles]] = True
    return Splits(
        train_images=images[~is_test],
        train_labels=labels[~is_test],
        test_images=images[is_test],
        test_labels=labels[is_test],
        label_names=tuple(str(digit) for digit in range(10)),
        origin="scikit-learn's own copy",
    )
