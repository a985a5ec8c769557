import numpy as np

from fm.data.duplicates import across


def test_pairs_of_equal_images() -> None:
    rng = np.random.default_rng(0)
    train = rng.integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    test = rng.integers(0, 256, (4, 4, 4, 3), dtype=np.uint8)
    test[1], test[3], train[5] = train[4], train[2], train[2]
    assert across(train, test) == [(4, 1), (2, 3)]
    assert across(train, test[[0, 2]]) == []
