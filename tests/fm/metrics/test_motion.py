"""Videos whose motion is known: the true law is the oracle."""

import numpy as np
import pytest

from fm.bouncing import bounced
from fm.data.moving_garments import SPAN, flights, placed
from fm.metrics.motion import flicker, law, things, tracks

TIMES = np.arange(16)


def shape(side: int = 14) -> np.ndarray:
    """A ring of two levels, in no way in the middle."""
    rows, columns = np.mgrid[:side, :side]
    away = np.hypot(rows - 5, columns - 7)
    return np.where((away < 5) & (away > 2), 120.0 + 8 * columns, 0)


def film(position: np.ndarray) -> np.ndarray:
    """A video (1, T, 32, 32, 1) of the shape with its first pixel at places (T, 2)."""
    frames = placed(np.broadcast_to(shape(), (len(position), 14, 14)), position)
    return np.rint(frames).astype(np.uint8)[np.newaxis, ..., np.newaxis]


def flight(number: int) -> tuple[np.ndarray, float]:
    flown = flights(20, np.random.default_rng(0))
    return flown.position[number, 0], float(np.linalg.norm(flown.velocity[number, 0]))


@pytest.mark.parametrize("number", range(5))
def test_a_thing_is_followed_to_a_fraction_of_a_pixel_and_its_speed_found(number: int) -> None:
    position, speed = flight(number)
    track = tracks(film(position), things=1)
    apart = track[0, 0] - position
    assert np.ptp(apart, axis=0).max() < 0.15
    found = law(track, SPAN)
    assert found.speed[0, 0] == pytest.approx(speed, rel=0.01)
    assert found.residual[0, 0] < 0.1


def test_what_follows_no_law_is_far_from_each() -> None:
    position, _ = flight(0)
    jumping = position.copy()
    jumping[::2] = position[::-2]
    assert law(jumping[np.newaxis], SPAN).residual[0] > 1


def test_another_speed_after_half_the_time_is_seen() -> None:
    slow_then_fast = np.where(TIMES < 8, TIMES, 8 + 3 * (TIMES - 8))
    track = np.stack([bounced(slow_then_fast, SPAN), np.full(16, 4.0)], axis=-1)
    assert law(track[np.newaxis], SPAN).residual[0] > 0.5


def test_frames_in_which_it_is_not_seen_are_left_out() -> None:
    position, speed = flight(1)
    position[[3, 4, 9]] = np.nan
    assert law(position[np.newaxis], SPAN).speed[0] == pytest.approx(speed, rel=0.01)
    position[3:] = np.nan
    assert np.isnan(law(position[np.newaxis], SPAN)).all()


def test_two_things_are_told_apart_and_keep_their_places() -> None:
    frames = np.zeros((1, 16, 32, 32, 1), np.uint8)
    frames[0, TIMES, 5, TIMES] = 255
    frames[0, TIMES, 20, 30 - TIMES] = 200
    frames[0, 6, 20] = 0
    assert things(frames).tolist() == [2]
    first, second = tracks(frames, things=2)[0]
    seen = TIMES != 6
    assert np.isnan(first[6]).all()
    np.testing.assert_allclose(first[seen], np.stack([np.full(16, 5), TIMES], axis=-1)[seen])
    np.testing.assert_allclose(second[seen], np.stack([np.full(16, 20), 30 - TIMES], axis=-1)[seen])
    assert law(np.stack([first, second]), span=31).speed == pytest.approx([1, 1], abs=0.01)


def test_dirt_is_no_thing_and_a_gap_of_two_pixels_none() -> None:
    frames = np.zeros((1, 2, 32, 32, 1), np.uint8)
    frames[0, :, 4:12, 4:7] = 200
    frames[0, :, 4:12, 9:12] = 200
    frames[0, :, 25, 25] = 255
    frames[0, 1] += 10
    assert things(frames).tolist() == [1]
    assert tracks(frames, things=1)[0, 0, :, 0] == pytest.approx([7.5, 7.5], abs=0.2)


def test_black_videos_show_nothing() -> None:
    black = np.zeros((2, 5, 8, 8, 1), np.uint8)
    assert things(black).tolist() == [0, 0]
    assert np.isnan(tracks(black, things=1)).all()
    assert np.isnan(flicker(black)).all()


def test_what_only_moves_does_not_flicker() -> None:
    position, _ = flight(2)
    whole = film(position)
    assert flicker(whole)[0] < 2e-3
    dimmed = whole // np.where(TIMES % 2, 2, 1)[:, np.newaxis, np.newaxis, np.newaxis].astype(np.uint8)
    assert flicker(dimmed)[0] == pytest.approx(0.5 / 0.75, rel=0.02)
