import numpy as np

from fm.bouncing import bounced


def test_what_bounces_is_what_a_walk_step_by_step_comes_to() -> None:
    place, speed, walked = 3.0, 0.25, []
    for _ in range(500):
        walked.append(place)
        if not 0 <= place + speed <= 10:
            speed = -speed
        place += speed
    np.testing.assert_allclose(bounced(3.0 + 0.25 * np.arange(500), span=10), walked, atol=1e-9)


def test_it_never_leaves() -> None:
    places = bounced(np.random.default_rng(0).uniform(-1e3, 1e3, (7, 50)), span=18)
    assert places.shape == (7, 50)
    assert places.min() >= 0
    assert places.max() <= 18
