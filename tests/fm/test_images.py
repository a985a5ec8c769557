from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fm.images import grid, reduced, save_png, to_float, to_uint8


def test_every_grey_level_survives_the_way_in_and_out() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    x = to_float(levels)
    assert x.shape == (1, 1, 16, 16)
    assert float(x.min()) == -1
    assert float(x.max()) == 1
    assert np.array_equal(to_uint8(x), levels)


def test_rounds_to_nearest_and_clips() -> None:
    x = torch.tensor([-3.0, 0.6 / 127.5 - 1, 3.0]).reshape(1, 1, 1, 3)
    assert to_uint8(x).ravel().tolist() == [0, 1, 255]


def test_grid_is_row_by_row(tmp_path: Path) -> None:
    images = np.stack([np.full((2, 2, 1), value, dtype=np.uint8) for value in (10, 20, 30)])
    sheet = grid(images, columns=2)
    assert sheet.shape == (7, 7, 1)
    assert (sheet[1, 1, 0], sheet[1, 4, 0], sheet[4, 1, 0], sheet[4, 4, 0]) == (10, 20, 30, 128)
    save_png(sheet, tmp_path / "a.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), sheet[:, :, 0])


def test_larger_images_are_shown_by_the_means_of_squares() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 10, 8, 3), dtype=np.uint8)
    small = reduced(images, side=4)
    assert small.shape == (2, 3, 2, 3)
    assert np.array_equal(small[1, 2, 1], images[1, 6:9, 3:6].reshape(-1, 3).mean(axis=0).round())
    assert reduced(images, side=10) is images
