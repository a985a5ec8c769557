from pathlib import Path

import numpy as np
import pytest
import torch

from fm.data.rows import Arrays, Stored
from fm.metrics.looking import all_looked_at, looked_at, looking

LARGE = np.random.default_rng(0).integers(0, 256, (70, 130, 70, 3), dtype=np.uint8)


def test_large_pictures_are_looked_at_by_the_means_of_squares() -> None:
    seen = looked_at(LARGE, largest=64)
    assert seen.shape == (70, 44, 24, 3)
    assert seen[3, 5, 7].tolist() == LARGE[3, 15:18, 21:24].mean(axis=(0, 1)).round().tolist()
    assert seen[3, -1, -1].tolist() == LARGE[3, 129:, 69:].mean(axis=(0, 1)).round().tolist(), (
        "a square that is cut off"
    )


def test_small_ones_are_looked_at_as_they_are(tmp_path: Path) -> None:
    small = LARGE[:, :32, :32]
    assert looked_at(small) is small
    assert all_looked_at(small, tmp_path) is small


@pytest.mark.parametrize("given", [LARGE, Stored(Arrays({"data": LARGE}))])
def test_all_of_many_are_the_same(given: np.ndarray | Stored, tmp_path: Path) -> None:
    seen = all_looked_at(given, tmp_path / "cache")
    assert np.array_equal(seen[np.arange(70)], looked_at(LARGE))
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("size", [(8, 8), (12, 9), (16, 16), (28, 28), (32, 64), (64, 64), (64, 5), (3, 3)])
def test_it_looks_at_any_size(size: tuple[int, int]) -> None:
    assert looking(1, *size, dimensions=5)(torch.zeros(2, 1, *size)).shape == (2, 5)
