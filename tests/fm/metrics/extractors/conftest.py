"""Small images of two kinds, as a prepared dataset."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from fm.metrics.extractors import Asked

Ask = Callable[..., Asked]


def pictures(count: int, channels: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 12, 12, channels), dtype=np.uint8)


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Asked, for a dataset of `count` training images with these label names."""

    def asked(setting: str, count: int = 80, channels: int = 3, labels: tuple[str, ...] = (), **more: object) -> Asked:
        numbers = np.arange(count) % max(len(labels), 1)
        splits = Splits(
            pictures(count, channels, 0), numbers, pictures(20, channels, 1), numbers[:20], labels
        )  # fmt: skip
        write(tmp_path / "prepared", splits, "pictures")
        given = {"weights": None, "cache": tmp_path / "cache", "report": print} | more
        return Asked(setting, Prepared.open(tmp_path / "prepared"), torch.device("cpu"), **given)  # type: ignore[arg-type]

    return asked
