"""The datasets are what they should be."""

import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fm.data.fashion_mnist import LABEL_NAMES, SUMS
from fm.data.fashion_mnist import load as load_garments
from fm.data.sources import DatasetUnavailable, Digits, Request, Splits

if TYPE_CHECKING:
    from conftest import Site

NO_PACKAGE = "there-is-no-such-package"


def asked(cache: Path) -> Request:
    return Request(cache, cache, size=8, channels=1, test_fraction=0.2, skip_bad=False)


def test_digits_are_split_in_1500_and_297(tmp_path: Path) -> None:
    digits = Digits().load(asked(tmp_path))
    assert digits.train_images.shape == (1500, 8, 8, 1)
    assert digits.test_images.shape == (297, 8, 8, 1)
    assert digits.train_images.max() == 255
    assert digits.train_images.min() == 0
    assert digits.label_names == tuple("0123456789")
    assert list(tmp_path.iterdir()) == []


def test_every_digit_has_its_share_of_the_test_split(tmp_path: Path) -> None:
    digits = Digits().load(asked(tmp_path))
    train, test = np.bincount(digits.train_labels), np.bincount(digits.test_labels)
    assert np.all(np.abs(test - (train + test) * 297 / 1797) <= 1)


def test_no_digit_is_lost_or_in_both_splits(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    digits = Digits().load(asked(tmp_path))
    ours = np.concatenate([digits.train_images, digits.test_images]).reshape(-1, 64)
    theirs = np.rint(load_digits().data / 16 * 255).astype(np.uint8)
    assert sorted(map(bytes, ours)) == sorted(map(bytes, theirs))


def test_digits_are_the_same_every_time(tmp_path: Path) -> None:
    one, two = Digits().load(asked(tmp_path)), Digits().load(asked(tmp_path))
    for array in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(one, array), getattr(two, array))


def test_fashion_mnist_from_files(garments: Path, tmp_path: Path, site: "Site") -> None:
    splits = load_garments(tmp_path, url=site.url, installed=garments, package=NO_PACKAGE)
    assert splits.train_images.shape == (60000, 28, 28, 1)
    assert splits.test_images.shape == (10000, 28, 28, 1)
    assert np.bincount(splits.train_labels).tolist() == [6000] * 10
    assert np.bincount(splits.test_labels).tolist() == [1000] * 10
    assert splits.label_names == LABEL_NAMES
    # The mean and deviation that everybody normalises this dataset with.
    assert splits.train_images.mean() / 255 == pytest.approx(0.2860, abs=1e-4)
    assert splits.train_images.std() / 255 == pytest.approx(0.3530, abs=1e-4)
    # The first image is an ankle boot, as in the project's own examples.
    assert splits.label_names[splits.train_labels[0]] == "Ankle boot"
    assert splits.origin == f"Debian's package, installed ({garments})"


def test_fashion_mnist_by_download(garments: Path, tmp_path: Path, site: "Site") -> None:
    site.files |= {name: (garments / name).read_bytes() for name in SUMS}
    splits = load_garments(tmp_path, url=site.url, installed=tmp_path / "nowhere", package=NO_PACKAGE)
    assert splits.origin == f"official download ({site.url})"
    assert site.asked == list(SUMS)
    for name, sha256 in SUMS.items():
        kept = (tmp_path / "downloads" / "fashion-mnist" / name).read_bytes()
        assert hashlib.sha256(gzip.decompress(kept)).hexdigest() == sha256


@pytest.mark.parametrize(
    ("name", "size", "date", "md5"),
    [
        ("train-images-idx3-ubyte.gz", 26421880, 1504176606, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", 29515, 1504176606, "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", 4422102, 1504176627, "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", 5148, 1504176627, "bb300cfdad3c16e7a12a480ee83cd310"),
    ],
)
def test_debians_files_are_the_official_ones(garments: Path, name: str, size: int, date: int, md5: str) -> None:
    """Debian took name and date out of gzip's header; with them back, the MD5 sums are the project's own."""
    raw = (garments / name).read_bytes()
    if len(raw) != size:
        inner = name.removesuffix(".gz").encode()
        raw = b"\x1f\x8b\x08\x08" + date.to_bytes(4, "little") + b"\x00\x03" + inner + b"\x00" + raw[10:]
    assert hashlib.md5(raw, usedforsecurity=False).hexdigest() == md5


def test_fashion_mnist_that_is_nowhere(tmp_path: Path, site: "Site") -> None:
    site.files["train-images-idx3-ubyte.gz"] = gzip.compress(b"no garments")
    with pytest.raises(DatasetUnavailable) as failure:
        load_garments(tmp_path, url=site.url, installed=tmp_path / "nowhere", package=NO_PACKAGE)
    first, cached, official, installed, fetched, advice = str(failure.value).splitlines()
    assert first.startswith("fashion-mnist ")
    assert cached.startswith("  local cache (")
    assert official.startswith(f"  official download ({site.url}): train-images-idx3-ubyte.gz: broken: the SHA-256")
    assert installed.startswith("  Debian's package, installed (")
    assert fetched.startswith(f"  Debian's package, fetched ({NO_PACKAGE}): ")
    assert "sudo apt-get install dataset-fashion-mnist" in advice
    assert str(tmp_path / "downloads" / "fashion-mnist") in advice


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_names": ()}, "but there are 0 names"),
        ({"label_names": ("a", "a")}, "no two label names may be alike"),
        ({"train_images": np.zeros((2, 4, 4), np.uint8)}, "train images must be uint8"),
        ({"train_images": np.zeros((2, 4, 4, 1), np.float32)}, "train images must be uint8"),
        ({"test_images": np.zeros((0, 4, 4, 1), np.uint8)}, "test images must be uint8"),
        ({"test_images": np.zeros((1, 5, 5, 1), np.uint8)}, "must be of one shape"),
        ({"train_texts": (("a shoe",),)}, "captions of 1 train images"),
        ({"train_texts": (("a shoe", "a\nb"), ()), "test_texts": ((),)}, "train image 0: a caption must be a line"),
        ({"train_texts": ("a shoe", "a bag"), "test_texts": ((),)}, "train image 0 must have a tuple of captions"),
        ({"test_labels": np.zeros(2, np.int64)}, r"test labels must be int64 \(1,\)"),
        ({"train_labels": np.zeros(2, np.int32)}, r"train labels must be int64 \(2,\)"),
        ({"train_labels": np.array([0, 2])}, "labels go from 0 to 2, but there are 2 names"),
        ({"train_labels": np.array([-1, 0])}, "labels go from -1 to 0"),
    ],
)
def test_splits_that_make_no_sense(change: dict[str, object], message: str) -> None:
    good: dict[str, object] = {
        "train_images": np.zeros((2, 4, 4, 1), np.uint8),
        "train_labels": np.array([0, 1]),
        "test_images": np.zeros((1, 4, 4, 1), np.uint8),
        "test_labels": np.array([0]),
        "label_names": ("a", "b"),
    }
    Splits(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        Splits(**good | change)  # type: ignore[arg-type]
