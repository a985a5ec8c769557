"""Fashion-MNIST: 70,000 grey images of garments, 28x28, with ten labels.

Source: Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747; https://github.com/zalandoresearch/fashion-mnist
"""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fm.data.dataset import Dataset, Request
from fm.data.fetching import collect, debian_package, download, folder
from fm.data.splits import Splits

OFFICIAL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
PACKAGE = "dataset-fashion-mnist"
INSTALLED = Path("/usr/share/datasets/fashion-mnist")

# SHA-256 of the decompressed files, which is the same whoever compressed them. The official .gz,
# known by the MD5 sums on the project's page, and Debian's differ in the gzip header alone.
SUMS = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

LABEL_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


class FashionMNIST(
    Dataset,
    name="fashion-mnist",
    title="Fashion-MNIST",
    says="70,000 grey images of garments, 28x28, with ten labels",
    source="Xiao et al. 2017, arXiv 1708.07747",
):
    """`load` of this module.

    >>> Dataset.of("fashion-mnist")
    FashionMNIST()
    """

    def load(self, asked: Request) -> Splits:
        return load(asked.cache)


def load(cache: Path, url: str = OFFICIAL, installed: Path = INSTALLED, package: str = PACKAGE) -> Splits:
    """60,000 training and 10,000 test images, uint8 (N, 28, 28, 1).

    Looks in `<cache>/downloads/fashion-mnist`, then downloads from `url`, then takes Debian's package
    where it is installed, then fetches that package with apt-get. Every file is checked; a good one
    is kept in the cache.

    Raises:
        DatasetUnavailable: none of them gave the data.
    """
    downloads = cache / "downloads" / "fashion-mnist"
    origins = [
        download("official download", url),
        folder("Debian's package, installed", installed),
        debian_package("Debian's package, fetched", package, INSTALLED),
    ]
    advice = (
        f"You can connect this machine to the network, or install Debian's package (sudo apt-get install {PACKAGE}), "
        f"or copy the files {', '.join(SUMS)} into {downloads}; then run this again."
    )
    collected = collect("fashion-mnist", SUMS, gzip.decompress, downloads, origins, advice)
    train_images, train_labels, test_images, test_labels = (idx(collected.contents[name]) for name in SUMS)
    return Splits(
        train_images=train_images[..., np.newaxis],
        train_labels=train_labels.astype(np.int64),
        test_images=test_images[..., np.newaxis],
        test_labels=test_labels.astype(np.int64),
        label_names=LABEL_NAMES,
        origin=collected.origin,
    )


def idx(content: bytes) -> NDArray[np.uint8]:
    """The array in an IDX file of bytes: 0, 0, 8, number of dimensions, each dimension big-endian, data."""
    dimensions = content[3]
    shape = np.frombuffer(content, dtype=">u4", count=dimensions, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(tuple(shape.tolist()))
