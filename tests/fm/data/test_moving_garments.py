from pathlib import Path

import numpy as np
import pytest

from fm.bouncing import bounced
from fm.data.fashion_mnist import LABEL_NAMES
from fm.data.moving_garments import SPAN, halved, placed
from fm.data.rows import Arrays
from fm.data.sources import MovingGarments, Request, Splits

SMALL = MovingGarments(train=60, test=20)


def made_up() -> Splits:
    """Garments that tell by their brightness of which label and of which split they are."""
    labels = np.arange(40) % 10
    brightness = (20 * (labels + 1)).astype(np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]
    images = np.broadcast_to(brightness, (40, 28, 28, 1)).copy()
    return Splits(images, labels, images + np.uint8(1), labels, LABEL_NAMES)


@pytest.fixture(scope="module")
def train() -> Arrays:
    return SMALL.made_of(made_up()).train


def test_videos_are_of_their_labels_garments_and_those_of_the_test_split_of_its_own(train: Arrays) -> None:
    test = SMALL.made_of(made_up()).test
    for rows, more in ((train, 0), (test, 1)):
        assert (rows.stored, str(rows.data.dtype)) == ((16, 32, 32, 1), "uint8")
        brightest = rows.data.reshape(len(rows), -1).max(axis=1)
        np.testing.assert_array_equal(brightest, 20 * (rows.column("label") + 1) + more)
    assert np.bincount(train.column("label")).tolist() == [6] * 10


def test_of_half_of_the_videos_there_are_two(train: Arrays) -> None:
    number, second = train.column("garments"), train.column("position")[:, 1]
    assert set(number) == {1, 2}
    assert np.array_equal(np.isnan(second).all(axis=(1, 2)), number == 1)
    assert np.array_equal(np.isnan(train.column("velocity")[:, 1]).all(axis=1), number == 1)
    alone = MovingGarments(train=60, test=20, most=1).made_of(made_up())
    assert set(alone.train.column("garments")) == {1}


def test_garments_fly_by_their_law(train: Arrays) -> None:
    position, velocity = train.column("position")[:, 0], train.column("velocity")[:, 0]
    speed = np.linalg.norm(velocity, axis=-1)
    assert 1 <= speed.min() < speed.max() <= 3
    flown = position[:, :1] + velocity[:, np.newaxis] * np.arange(16)[:, np.newaxis]
    np.testing.assert_allclose(position, bounced(flown, SPAN), atol=1e-4)


def test_a_garment_lies_where_it_is_said_to(train: Arrays) -> None:
    alone = train.column("garments") == 1
    frames = train.data[alone, ..., 0].astype(float)
    along = np.arange(32)
    mass = frames.sum(axis=(2, 3))
    rows, columns = frames.sum(axis=3) @ along / mass, frames.sum(axis=2) @ along / mass
    centre = train.column("position")[alone, 0] + (14 - 1) / 2
    np.testing.assert_allclose(np.stack([rows, columns], axis=-1), centre, atol=0.05)


def test_between_pixels_it_is_shared_in_proportion() -> None:
    frame = placed(np.full((1, 14, 14), 100.0), np.array([[2.25, 18.0]]))[0]
    np.testing.assert_allclose(frame[:, 20].nonzero()[0], np.arange(2, 17))
    np.testing.assert_allclose([frame[2, 20], frame[3, 20], frame[16, 20]], [75, 100, 25])
    np.testing.assert_allclose(frame[5].nonzero()[0], np.arange(18, 32))
    assert frame.sum() == pytest.approx(100 * 14 * 14)


def test_half_the_size_is_the_mean_of_four() -> None:
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, 2:4, 6, 0] = 100
    assert halved(images)[0, 1, 3] == 50
    assert halved(images).sum() == 50


def test_videos_are_the_same_every_time(train: Arrays) -> None:
    again = SMALL.made_of(made_up()).train
    for name in train.fields:
        np.testing.assert_array_equal(again.column(name), train.column(name))
    other = MovingGarments(train=60, test=20, seed=1).made_of(made_up()).train
    assert not np.array_equal(other.data, train.data)


def test_of_real_garments(garments: Path, tmp_path: Path) -> None:
    downloads = tmp_path / "downloads" / "fashion-mnist"
    downloads.parent.mkdir()
    downloads.symlink_to(garments)
    asked = Request(tmp_path, Path(), size=32, channels=1, test_fraction=0.1, skip_bad=False)
    splits = SMALL.load(asked)
    assert splits.conditioner.choices == LABEL_NAMES
    assert splits.codec.shape == (1, 16, 32, 32)
    assert 10 < splits.train.data.mean() < 60
