"""A dataset in memory, as its source gives it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Splits:
    """Training and test images with their labels.

    Attributes:
        train_images: uint8 (N, H, W, C), N at least 1.
        train_labels: int64 (N,), from 0 up to the number of label names.
        test_images: uint8 (M, H, W, C), the same H, W and C.
        test_labels: int64 (M,).
        label_names: what the labels mean; no two alike.
        origin: for people, where the bytes came from. No part of the data: equal data from two places is equal.

    Raises:
        ValueError: the arrays are not as above.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    label_names: tuple[str, ...]
    origin: str = ""

    def __post_init__(self) -> None:
        if not self.label_names or len(set(self.label_names)) < len(self.label_names):
            raise ValueError(f"label names must be given, no two alike: {self.label_names}")
        check("train", self.train_images, self.train_labels, len(self.label_names))
        check("test", self.test_images, self.test_labels, len(self.label_names))
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            train, test = self.train_images.shape[1:], self.test_images.shape[1:]
            raise ValueError(f"training images are {train} and test images {test}; they must be of one shape")


def check(split: str, images: NDArray[np.uint8], labels: NDArray[np.int64], num_labels: int) -> None:
    """Raises ValueError if these are not uint8 (N, H, W, C) images with int64 (N,) labels in [0, num_labels)."""
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
        raise ValueError(f"{split} images must be uint8 (N, H, W, C), not {images.dtype} {images.shape}")
    if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
        raise ValueError(f"{split} labels must be int64 ({len(images)},), not {labels.dtype} {labels.shape}")
    if labels.min() < 0 or labels.max() >= num_labels:
        raise ValueError(f"{split} labels go from {labels.min()} to {labels.max()}, but there are {num_labels} names")
