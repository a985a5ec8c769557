import numpy as np
import pytest

from fm.codecs import Standardised
from fm.colour_keys import WIDE, colour_key, ends
from fm.pictures import COLOURS, pictures

CODEC = Standardised(stored=(2, 4, 4), mean=(10.0, -2000.0), deviation=(2.0, 500.0), scale=0.5)


def test_the_ends_are_what_the_colours_at_the_ends_stand_for() -> None:
    low, high = (np.array([getattr(one, end) for one in ends(CODEC)], np.float32) for end in ("low", "high"))
    assert [one.middle for one in ends(CODEC)] == [10, -2000]
    assert low.tolist() == [7, -2750]
    shown = pictures(np.stack([low, high])[..., np.newaxis, np.newaxis] * np.ones((4, 4), np.float32), CODEC)
    assert shown[:, 0, 0].tolist() == COLOURS[[0, -1]].astype(int).tolist()


@pytest.mark.parametrize("unit", ["", "m"])
def test_a_key_has_a_bar_for_each_channel_and_numbers_beside_it(unit: str) -> None:
    key = colour_key(CODEC, unit, height=40)
    assert key.shape == (1, 84, WIDE, 3)
    for top in (0, 44):
        assert key[0, top, 0].tolist() == COLOURS[-1].astype(int).tolist()
        assert key[0, top + 39, 0].tolist() == COLOURS[0].astype(int).tolist()
        for part in (slice(top, top + 10), slice(top + 15, top + 25), slice(top + 30, top + 40)):
            assert key[0, part, 16:].any()
    assert not key[0, 40:44].any()
    assert not np.array_equal(key[0, :40], key[0, 44:])
