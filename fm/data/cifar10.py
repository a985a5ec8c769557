"""CIFAR-10: 60,000 colour images of 32x32 pixels with ten labels.

Source: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; https://www.cs.toronto.edu/~kriz/cifar.html
"""

import io
import pickle
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm.data.dataset import Dataset, Request
from fm.data.fetching import collect, download, folder
from fm.data.splits import Splits

OFFICIAL = "https://www.cs.toronto.edu/~kriz/"
ARCHIVE = "cifar-10-python.tar.gz"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
LABEL_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


class CIFAR10(
    Dataset,
    name="cifar10",
    title="CIFAR-10",
    says="60,000 colour images of 32x32 pixels with ten labels",
    source="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
):
    """`load` of this module.

    >>> Dataset.of("cifar10")
    CIFAR10()
    """

    def load(self, asked: Request) -> Splits:
        return load(asked.cache, asked.path)


def load(cache: Path, path: Path, url: str = OFFICIAL, sha256: str = SHA256) -> Splits:
    """50,000 training and 10,000 test images, uint8 (N, 32, 32, 3).

    Takes the official archive, which torchvision keeps as well: from `<cache>/downloads/cifar10`, then from the folder
    `path` (torchvision's root), then from `url`. It is checked, and read in memory: nothing is unpacked.

    Raises:
        DatasetUnavailable: none of them gave the archive.
    """
    downloads = cache / "downloads" / "cifar10"
    origins = [folder("dataset.path", path), download("official download", url)]
    advice = (
        f"You can connect this machine to the network, or copy {ARCHIVE} into {downloads}, or name the folder that "
        "it lies in, for example torchvision's, with dataset.path; then run this again."
    )
    collected = collect("cifar10", {ARCHIVE: sha256}, bytes, downloads, origins, advice)
    batches = read(collected.contents[ARCHIVE], (*TRAIN, "test_batch"))
    train_images, train_labels = joined(batches[name] for name in TRAIN)
    test_images, test_labels = joined([batches["test_batch"]])
    return Splits(train_images, train_labels, test_images, test_labels, LABEL_NAMES, collected.origin)


def read(archive: bytes, names: tuple[str, ...]) -> dict[str, dict[bytes, Any]]:
    """The named members of the archive, which are pickles of a dictionary."""
    batches = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for name in names:
            member = tar.extractfile(f"cifar-10-batches-py/{name}")
            assert member is not None  # the archive's sum has been checked
            batches[name] = ArraysOnly(member, encoding="bytes").load()
    return batches


class ArraysOnly(pickle.Unpickler):
    """Of all that a pickle can name, only what makes up NumPy arrays.

    >>> ArraysOnly(io.BytesIO(pickle.dumps({"data": np.arange(3)}))).load()
    {'data': array([0, 1, 2])}
    >>> ArraysOnly(io.BytesIO(pickle.dumps(print))).load()
    Traceback (most recent call last):
    _pickle.UnpicklingError: builtins.print has no place in an archive of images
    """

    allowed = frozenset({"_reconstruct", "ndarray", "dtype"})

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in self.allowed:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in an archive of images")


def joined(batches: Iterable[dict[bytes, Any]]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (N, 32, 32, 3) and labels (N,) of batches, whose rows hold all red values, then green, then blue."""
    parts = list(batches)
    rows = np.concatenate([part[b"data"] for part in parts])
    labels = np.concatenate([np.asarray(part[b"labels"], dtype=np.int64) for part in parts])
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels
