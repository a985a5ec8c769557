"""CIFAR-10 from an archive laid out like the official one, which this test makes: the real one is a download."""

import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from fm.data.cifar10 import ARCHIVE, LABEL_NAMES, TRAIN, load
from fm.data.fetching import DatasetUnavailable

NOWHERE = "http://127.0.0.1:1/"


def archive(batches: dict[str, object]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, batch in batches.items():
            pickled = pickle.dumps(batch, protocol=2)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(pickled)
            tar.addfile(member, io.BytesIO(pickled))
    return content.getvalue()


def batch(number: int, count: int = 3) -> dict[bytes, object]:
    rows = np.zeros((count, 3, 32, 32), dtype=np.uint8)
    rows[:, 0], rows[:, 1], rows[:, 2] = number, 100, 200
    rows[:, :, 0, 5] = 7  # top row, sixth column
    return {b"data": rows.reshape(count, -1), b"labels": [number, 0, 9], b"batch_label": b"training batch"}


def written(folder: Path, content: bytes) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ARCHIVE).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


GOOD = archive({name: batch(number) for number, name in enumerate((*TRAIN, "test_batch"))})


def test_from_the_folder_where_torchvision_keeps_it(tmp_path: Path) -> None:
    sha256 = written(tmp_path / "torchvision", GOOD)
    splits = load(tmp_path / "cache", tmp_path / "torchvision", NOWHERE, sha256)
    assert splits.train_images.shape == (15, 32, 32, 3)
    assert splits.test_images.shape == (3, 32, 32, 3)
    assert splits.label_names == LABEL_NAMES
    assert splits.train_images[3, 9, 9].tolist() == [1, 100, 200]
    assert splits.train_images[3, 0, 5].tolist() == [7, 7, 7]
    assert splits.train_labels[:6].tolist() == [0, 0, 9, 1, 0, 9]
    assert splits.test_labels.tolist() == [5, 0, 9]
    again = load(tmp_path / "cache", tmp_path, NOWHERE, sha256)
    assert "local cache" in again.origin


def test_another_archive_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    written(tmp_path / "own", GOOD)
    with pytest.raises(DatasetUnavailable) as failure:
        load(tmp_path / "cache", tmp_path / "own", NOWHERE)
    message = str(failure.value)
    assert "the SHA-256 of its content is" in message
    assert "name the folder that it lies in, for example torchvision's, with dataset.path" in message


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/should-not-be-there",)


def test_a_pickle_can_name_nothing_but_arrays(tmp_path: Path) -> None:
    sha256 = written(tmp_path / "own", archive({"data_batch_1": {b"data": Evil()}}))
    with pytest.raises(pickle.UnpicklingError, match=r"system has no place in an archive of images"):
        load(tmp_path / "cache", tmp_path / "own", NOWHERE, sha256)
