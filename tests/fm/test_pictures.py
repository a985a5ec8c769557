import numpy as np
import pytest

from fm.codecs import Pixels, Standardised
from fm.pictures import COLOURS, pictures


def pixels(*stored: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, *stored), dtype=np.uint8)


@pytest.mark.parametrize("stored", [(8, 6, 1), (8, 6, 3)])
def test_images_are_shown_as_they_are(stored: tuple[int, ...]) -> None:
    images = pixels(*stored)
    assert np.array_equal(pictures(images, Pixels(stored=stored)), images)


def test_a_video_is_a_strip_of_its_frames() -> None:
    video = pixels(3, 4, 5, 3)
    shown = pictures(video, Pixels(stored=(3, 4, 5, 3)))
    assert shown.shape == (2, 4, 3 * 5 + 2, 3)
    assert np.array_equal(shown[:, :, 6:11], video[:, 1])


def test_of_a_volume_a_few_slices_are_shown_the_first_and_the_last_among_them() -> None:
    volume = pixels(20, 4, 5, 1)
    shown = pictures(volume, Pixels(stored=(20, 4, 5, 1)))
    assert shown.shape == (2, 4, 8 * 5 + 7, 1)
    assert np.array_equal(shown[:, :, :5], volume[:, 0])
    assert np.array_equal(shown[:, :, -5:], volume[:, -1])


@pytest.mark.parametrize(
    ("stored", "picture"),
    [((7, 1), (8, 7, 1)), ((12,), (8, 12, 1)), ((4, 5, 2), (4, 5 + 1 + 5, 1)), ((2, 3, 4, 5, 1), (4, 35, 1))],
)
def test_other_pixels_are_strips_too(stored: tuple[int, ...], picture: tuple[int, ...]) -> None:
    assert pictures(pixels(*stored), Pixels(stored=stored)).shape == (2, *picture)


def test_measurements_are_coloured_channel_below_channel() -> None:
    codec = Standardised(stored=(2, 1, 3), mean=(10.0, 0.0), deviation=(2.0, 1.0))
    fields = np.array([[[[4.0, 10.0, 100.0]], [[-3.0, 0.0, 3.0]]]], dtype=np.float32)
    shown = pictures(fields, codec)
    assert shown.shape == (1, 1 + 1 + 1, 3, 3)
    for row in (0, 2):
        assert shown[0, row].tolist() == COLOURS[[0, 4, 8]].astype(int).tolist()


@pytest.mark.parametrize("stored", [(5,), (2, 9), (1, 4, 4, 4)])
def test_any_number_of_axes(stored: tuple[int, ...]) -> None:
    shown = pictures(np.zeros((3, *stored), dtype=np.float32), Standardised(stored=stored))
    assert (shown.ndim, len(shown), shown.shape[3]) == (4, 3, 3)
