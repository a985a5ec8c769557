import base64
import io

import numpy as np
from PIL import Image

from fm import images as layout
from fm.sheets import ROWS
from pipelines.report.pictures import data_uri, first_row, grid_of_real, rows_of_real


def test_grid_of_real_images_has_a_column_for_each_class():
    labels = np.arange(40) % 2
    images = np.broadcast_to((100 + labels)[:, None, None, None], (40, 4, 4, 1)).astype(np.uint8)
    grid = np.asarray(grid_of_real(images, rows_of_real(labels, 2), 2))
    assert grid.shape == (ROWS * 5 + 1, 2 * 5 + 1)
    assert set(np.unique(grid[:, 1:5])) == {100, 128}
    assert set(np.unique(grid[:, 6:10])) == {101, 128}


def test_a_class_with_few_images_repeats_them():
    labels = np.array([0, 0, 1])
    grid = grid_of_real(np.full((3, 4, 4, 3), 7, np.uint8), rows_of_real(labels, 2), 2)
    assert (grid.size, grid.mode) == ((11, 41), "RGB")


def test_images_without_labels_and_with_many():
    images = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    unlabelled = np.asarray(grid_of_real(images, rows_of_real(np.zeros(200, np.int64), 0), 0))
    assert unlabelled.shape == (ROWS * 5 + 1, 10 * 5 + 1)
    shown = unlabelled[1::5, 1::5][:ROWS, :10].ravel().astype(int)
    assert (shown[0], shown[-1]) == (0, 199)
    assert set(np.diff(shown)) == {2, 3}  # spread evenly over all 200
    many = np.asarray(grid_of_real(images, rows_of_real(np.arange(200) % 30, 30), 30))
    assert [int(value) % 30 for value in many[1::5, 1][:4]] == [0, 10, 20, 0]


def test_first_row_is_one_image_of_every_class_with_or_without_gaps():
    images = np.zeros((ROWS * 3, 4, 4, 1), np.uint8)
    assert first_row(Image.fromarray(layout.grid(images, 3)[..., 0])).size == (16, 6)
    assert first_row(Image.fromarray(layout.grid(images, 3, gap=0)[..., 0])).size == (12, 4)


def test_data_uri_holds_the_image():
    image = Image.new("L", (3, 2), 9)
    head, _, body = data_uri(image).partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(body))).getpixel((0, 0)) == 9
