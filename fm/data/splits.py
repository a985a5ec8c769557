"""A dataset in memory, as its source gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fm.data.caption_reading import Faults
from fm.data.captions import as_lines


class Skipped(NamedTuple):
    """A file that is no image of the dataset, and why.

    >>> Skipped("shoes/left.png", "cut off").reason
    'cut off'
    """

    file: str
    reason: str


class LeftOut(NamedTuple):
    """Files that are no images: how many of a kind (their suffix, or what they are) below a label's folder.

    >>> LeftOut("shoes", ".txt", files=2).files
    2
    """

    label: str
    kind: str
    files: int


class Elsewhere(NamedTuple):
    """Images that links lead to outside of the dataset's folder.

    Attributes:
        label: whose folder the links are in.
        place: the folder that all of these images lie in.
        by_folder: whether a link to a folder leads there, or links to the files.

    >>> Elsewhere("shoes", "/archive/shoes", images=40, by_folder=True).images
    40
    """

    label: str
    place: str
    images: int
    by_folder: bool


@dataclass(frozen=True, eq=False)
class Splits:
    """Training and test images with their labels.

    Attributes:
        train_images: uint8 (N, H, W, C), N at least 1.
        train_labels: int64 (N,), from 0 up to the number of label names; 0 where there are none.
        test_images: uint8 (M, H, W, C), the same H, W and C.
        test_labels: int64 (M,).
        label_names: what the labels mean; no two alike. None for images without labels.
        origin: for people, where the bytes came from. No part of the data: equal data from two places is equal.
        train_files, test_files: the file of each image, if each has one.
        train_texts, test_texts: the captions of each image, each a line with something in it; an image may have none.
            Empty where no image has one.
        train_about, test_about: what else is known of each image, in a word, by field: kept beside it, for whoever
            measures.
        skipped: images that were left out.
        left_out: files that are no images.
        elsewhere: images that only links lead to.
        warnings: for people, what may not be as it was meant.
        caption_faults: what of the captions is not kept, and why.

    Raises:
        ValueError: the arrays are not as above.

    >>> images, labels = np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 1, 0, 1])
    >>> Splits(images, labels, images[:2], labels[:2], ("cat", "dog")).train_images.shape
    (4, 8, 8, 1)
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    label_names: tuple[str, ...]
    origin: str = ""
    train_files: tuple[str, ...] = ()
    test_files: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    warnings: tuple[str, ...] = ()
    train_texts: tuple[tuple[str, ...], ...] = ()
    test_texts: tuple[tuple[str, ...], ...] = ()
    caption_faults: tuple[Faults, ...] = ()
    train_about: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    test_about: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(set(self.label_names)) < len(self.label_names):
            raise ValueError(f"no two label names may be alike: {self.label_names}")
        check("train", self.train_images, self.train_labels, len(self.label_names))
        check("test", self.test_images, self.test_labels, len(self.label_names))
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            train, test = self.train_images.shape[1:], self.test_images.shape[1:]
            raise ValueError(f"training images are {train} and test images {test}; they must be of one shape")
        if self.train_texts or self.test_texts:
            check_texts("train", self.train_texts, len(self.train_images))
            check_texts("test", self.test_texts, len(self.test_images))


def check(split: str, images: NDArray[np.uint8], labels: NDArray[np.int64], num_labels: int) -> None:
    """Raises ValueError if these are not uint8 (N, H, W, C) images with int64 (N,) labels in [0, num_labels)."""
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
        raise ValueError(f"{split} images must be uint8 (N, H, W, C), not {images.dtype} {images.shape}")
    if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
        raise ValueError(f"{split} labels must be int64 ({len(images)},), not {labels.dtype} {labels.shape}")
    if labels.min() < 0 or labels.max() >= max(num_labels, 1):
        raise ValueError(f"{split} labels go from {labels.min()} to {labels.max()}, but there are {num_labels} names")


def check_texts(split: str, texts: tuple[tuple[str, ...], ...], images: int) -> None:
    """Raises ValueError if these are not the captions of so many images."""
    if len(texts) != images:
        raise ValueError(f"there are captions of {len(texts)} {split} images, but {images} images")
    for number, captions in enumerate(texts):
        if not isinstance(captions, tuple):
            raise ValueError(f"{split} image {number} must have a tuple of captions, not {captions!r}")
        try:
            as_lines(captions)
        except ValueError as error:
            raise ValueError(f"{split} image {number}: {error}") from None
