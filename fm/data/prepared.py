"""The prepared dataset: a folder of few files that are mapped into memory, not read.

    manifest.json       format, name, image size, channels, label names, counts, SHA-256 of the others
    train_images.npy    uint8 (N, H, W, C), H = W
    train_labels.npy    int64 (N,)
    test_images.npy     uint8 (M, H, W, C)
    test_labels.npy     int64 (M,)

Equal data makes equal bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fm.data.splits import Splits
from fm.errors import UserError

FORMAT = 1
MANIFEST = "manifest.json"
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


class PreparedError(UserError):
    """A folder is no prepared dataset that this version can read; the message names it and says why."""


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a prepared dataset, mapped into memory, read-only.

    Attributes:
        images: uint8 (N, H, W, C).
        labels: int64 (N,).
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared dataset on disk. Made by `write`, opened by `Prepared.open`.

    Attributes:
        sha256: file name -> sum, as the manifest has it.
    """

    folder: Path
    name: str
    label_names: tuple[str, ...]
    image_size: int
    channels: int
    train: Split
    test: Split
    sha256: Mapping[str, str]

    @property
    def num_classes(self) -> int:
        return len(self.label_names)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map a prepared dataset into memory. Reads manifest and labels only, so size doesn't matter.

        Raises:
            PreparedError: the folder is missing, damaged as far as one sees without reading the
                images (`verify` reads them), or of a newer format.
        """
        manifest = read_manifest(folder)
        try:
            name, label_names, sums = manifest["name"], tuple(manifest["label_names"]), manifest["sha256"]
            train_images, train_labels, test_images, test_labels = (mapped(folder / f"{array}.npy") for array in ARRAYS)
            splits = Splits(train_images, train_labels, test_images, test_labels, label_names)
            expected = describe(name, splits, sums)
        except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
            raise PreparedError(f"{folder}: the prepared dataset is damaged: {error}") from error
        for key in expected:
            if manifest.get(key) != expected[key]:
                raise PreparedError(
                    f"{folder}: the prepared dataset is damaged: its arrays are not what {MANIFEST} says under {key!r}"
                )
        return cls(
            folder=folder,
            name=name,
            label_names=label_names,
            image_size=expected["image_size"],
            channels=expected["channels"],
            train=Split(splits.train_images, splits.train_labels),
            test=Split(splits.test_images, splits.test_labels),
            sha256=sums,
        )

    def verify(self) -> None:
        """Read every byte and compare with the manifest. Raises PreparedError if a file is not what was written."""
        for name in (f"{array}.npy" for array in ARRAYS):
            if sha256(self.folder / name) != self.sha256.get(name):
                raise PreparedError(f"{self.folder}: the prepared dataset is damaged: {name} has changed")


def write(folder: Path, splits: Splits, name: str) -> None:
    """Write a prepared dataset. The manifest comes last, so that a folder with one is complete.

    Raises:
        ValueError: the images are not square.
    """
    describe(name, splits, {})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    sums: dict[str, str] = {}
    for array in ARRAYS:
        path = folder / f"{array}.npy"
        content = np.ascontiguousarray(getattr(splits, array))
        np.save(path, content.astype(content.dtype.newbyteorder("<"), copy=False), allow_pickle=False)
        sums[path.name] = sha256(path)
    manifest = json.dumps(describe(name, splits, sums), indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(manifest + "\n", encoding="utf-8")


def describe(name: str, splits: Splits, sums: Mapping[str, str]) -> dict[str, Any]:
    """The manifest of a dataset. Raises ValueError if its images are not square."""
    _, height, width, channels = splits.train_images.shape
    if height != width:
        raise ValueError(f"images must be square, not {height}x{width}")
    return {
        "format": FORMAT,
        "name": name,
        "image_size": height,
        "channels": channels,
        "label_names": list(splits.label_names),
        "splits": {
            "train": counts(splits.train_labels, splits.label_names),
            "test": counts(splits.test_labels, splits.label_names),
        },
        "sha256": dict(sums),
    }


def counts(labels: NDArray[np.int64], label_names: tuple[str, ...]) -> dict[str, Any]:
    by_label = np.bincount(labels, minlength=len(label_names)).tolist()
    # Without labels all are 0, which stands for no name.
    return {"images": len(labels), "by_label": dict(zip(label_names, by_label, strict=False))}


def read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PreparedError(f"{folder}: there is no prepared dataset here ({MANIFEST} is missing)") from None
    except (OSError, ValueError) as error:
        raise PreparedError(f"{path}: can't be read: {error}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise PreparedError(f"{path}: not the manifest of a prepared dataset")
    if manifest["format"] > FORMAT:
        raise PreparedError(
            f"{folder}: written by a newer version (format {manifest['format']}; this one reads {FORMAT}): "
            "update this program, or prepare the dataset again"
        )
    return manifest


def mapped(path: Path) -> NDArray[Any]:
    """An array mapped into memory, read-only. Raises OSError, EOFError or ValueError if it isn't whole."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.memmap):
        raise ValueError(f"{path.name} is not a .npy file")
    if path.stat().st_size != array.offset + array.nbytes:
        raise ValueError(f"{path.name} is longer than it should be")
    return array


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
