"""SVG files as pictures of the asked size and channels."""

from pathlib import Path

import numpy as np
import pytest

from fm.data import icons_drawing
from fm.data.icons_drawing import TOGETHER, draw, drawn, pictures
from fm.data.processes import processes


def svg(body: str, side: int = 8) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}">{body}</svg>'


LEFT_HALF = svg('<rect width="4" height="8" fill="#ff8000"/>')


@pytest.mark.parametrize("size", [32, 64, 512])
def test_in_colour_on_white(size: int) -> None:
    picture = draw(LEFT_HALF, size, channels=3)
    assert picture.shape == (size, size, 3)
    assert np.all(picture[:, : size // 2] == [255, 128, 0])
    assert np.all(picture[:, size // 2 :] == 255)


def test_in_grey_by_luma() -> None:
    picture = draw(LEFT_HALF, size=32, channels=1)
    assert picture.shape == (32, 32, 1)
    assert np.all(picture[:, :16] == round(0.299 * 255 + 0.587 * 128))
    assert np.all(picture[:, 16:] == 255)


def test_edges_are_soft() -> None:
    """Three of eight units of two pixels each, a quarter of a pixel further: that is how dark its last column is."""
    picture = draw(svg('<rect width="3.125" height="8"/>'), size=16, channels=1)
    assert picture[0, 5:8, 0].tolist() == [0, pytest.approx(255 * 0.75, abs=2), 255]


def test_half_of_a_colour_is_half_white() -> None:
    picture = draw(svg('<rect width="8" height="8" fill="black" fill-opacity="0.5"/>'), size=8, channels=1)
    assert np.all(np.abs(picture.astype(int) - 127.5) <= 1)


def test_letters_are_not_drawn_with_the_machines_fonts() -> None:
    assert np.all(draw(svg('<text y="8" font-size="8">A</text>'), size=32, channels=1) == 255)


def test_many_lie_on_the_disk_in_their_order(tmp_path: Path) -> None:
    count = TOGETHER + 3
    bars = [svg(f'<rect width="{count}" height="{number}"/>', side=count) for number in range(count)]
    made = drawn(bars, size=count, channels=1, folder=tmp_path / "cache")
    assert isinstance(made, np.memmap)
    assert list((tmp_path / "cache").iterdir()) == []  # it has no name, and vanishes with the array
    heights = (made[:, :, count // 2, 0] == 0).sum(axis=1)
    assert heights.tolist() == list(range(count))


def test_large_ones_are_drawn_by_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = [svg(f'<rect width="8" height="{number % 8}"/>') for number in range(TOGETHER + 3)]
    by_one = list(pictures(bars, size=16, channels=3))
    begun: list[int] = []
    monkeypatch.setattr(icons_drawing, "LARGE", 0)
    monkeypatch.setattr(icons_drawing, "processes", lambda count: begun.append(count) or processes(2))
    assert np.array_equal(list(pictures(bars, size=16, channels=3)), by_one)
    assert len(begun) == 1
