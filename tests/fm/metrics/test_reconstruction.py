import numpy as np
import pytest

from fm.metrics.reconstruction import psnr


@pytest.mark.parametrize("apart", [1, 10, 51])
def test_pictures_that_differ_by_as_much_everywhere(apart: int) -> None:
    """20 log10(255 / d): 48.13 dB for one grey level, on either side."""
    image = np.full((2, 4, 6, 3), 100, np.uint8)
    for other in (image + np.uint8(apart), image - np.uint8(apart)):
        assert psnr(image, other) == pytest.approx([20 * np.log10(255 / apart)] * 2)


def test_each_pair_has_its_own() -> None:
    images = np.zeros((3, 4, 4, 1), np.uint8)
    others = images.copy()
    others[1, 0, 0] = 255
    assert psnr(images, others) == pytest.approx([np.inf, 10 * np.log10(16), np.inf])
