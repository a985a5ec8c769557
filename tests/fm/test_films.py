import io

import numpy as np
from PIL import Image

from fm.films import film_sheet, turning, webp


def test_a_volume_turns_once_about_its_height() -> None:
    volume = np.zeros((1, 9, 4, 9, 1), np.uint8)
    volume[0, 4, 1, 8] = 255  # to the right of the middle
    film = turning(volume, frames=4)[0, ..., 0]
    assert film.shape == (4, 4, 13)
    rows, columns = np.nonzero(film.reshape(16, 13))
    assert rows.tolist() == [1, 5, 9, 13]
    assert columns.tolist() == [10, 6, 2, 6]


def test_what_is_nearer_is_brighter_and_hides_what_is_behind() -> None:
    volume = np.zeros((1, 9, 1, 9, 1), np.uint8)
    volume[0, [0, 8, 0], 0, [4, 4, 2]] = 255
    first, _, third, _ = turning(volume, frames=4)[0, :, 0, :, 0]
    assert first[6] > first[4] > 0
    assert third[6] == first[6]
    assert third[8] == third[6]
    assert np.count_nonzero(first) == 2


def test_films_play_beside_each_other() -> None:
    films = np.arange(6, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis, np.newaxis] * np.ones(
        (4, 5, 5, 3), np.uint8
    )
    sheet = film_sheet(films, columns=3)
    assert sheet.shape == (4, 2 * 6 + 1, 3 * 6 + 1, 3)
    assert sheet[2, 8, 8].tolist() == [4, 4, 4]


def test_an_animated_file_has_every_frame_as_it_is() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 12, 9, 3), dtype=np.uint8)
    for made in (frames, frames[..., :1]):
        with Image.open(io.BytesIO(webp(made, milliseconds=70))) as film:
            assert film.n_frames == 5
            for number, frame in enumerate(made):
                film.seek(number)
                film.load()
                assert film.info["duration"] == 70
                np.testing.assert_array_equal(np.asarray(film.convert("RGB")), np.broadcast_to(frame, (12, 9, 3)))
    assert webp(frames) == webp(frames)
