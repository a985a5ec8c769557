"""Resizing keeps what a viewer would call the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fm.data.resize import resize

SIZES = st.integers(1, 20)
SHAPES = st.tuples(st.integers(1, 3), SIZES, SIZES, st.integers(1, 5))
IMAGES = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape))
SQUARES = SIZES.flatmap(lambda side: arrays(np.uint8, (2, side, side, 3)))


@given(IMAGES, SIZES)
def test_any_images_come_out_square(images: NDArray[np.uint8], size: int) -> None:
    result = resize(images, size)
    assert result.shape == (images.shape[0], size, size, images.shape[3])
    assert result.dtype == np.uint8


@given(SHAPES, SIZES, st.integers(0, 255))
def test_a_plain_surface_stays_as_it_is(shape: tuple[int, ...], size: int, grey: int) -> None:
    assert np.all(resize(np.full(shape, grey, dtype=np.uint8), size) == grey)


@given(IMAGES, SIZES)
def test_channels_and_images_do_not_touch(images: NDArray[np.uint8], size: int) -> None:
    last = resize(images[-1:, :, :, -1:], size)
    np.testing.assert_array_equal(resize(images, size)[-1:, :, :, -1:], last)


@given(SQUARES, SIZES)
def test_a_mirrored_image_gives_the_mirrored_result(images: NDArray[np.uint8], size: int) -> None:
    mirrored = resize(images[:, ::-1, ::-1], size)[:, ::-1, ::-1]
    difference = mirrored.astype(int) - resize(images, size)
    assert np.abs(difference).max() <= 2  # one in each of Pillow's two passes, where the rounding is a tie


def test_the_right_size_costs_nothing() -> None:
    images = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8, 1)
    assert np.shares_memory(resize(images, 8), images)
    np.testing.assert_array_equal(resize(images, 8), images)


def test_the_middle_is_kept() -> None:
    images = np.zeros((1, 4, 10, 1), dtype=np.uint8)
    images[:, :, 3:7] = 200
    np.testing.assert_array_equal(resize(images, 4), np.full((1, 4, 4, 1), 200, dtype=np.uint8))


@pytest.mark.parametrize("size", [8, 16])
def test_fine_stripes_turn_grey(size: int) -> None:
    """Without antialiasing they would be all black or all white."""
    images = np.zeros((1, 64, 64, 1), dtype=np.uint8)
    images[:, :, ::2] = 255
    inner = resize(images, size)[:, :, 1:-1]
    assert np.abs(inner.astype(int) - 127).max() <= 3
