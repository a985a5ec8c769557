import numpy as np

from fm.metrics.volumes import connected, occupancy


def volumes(*places: list[tuple[int, int, int]]) -> np.ndarray:
    """Volumes of 4x4x4, filled at these places."""
    made = np.zeros((len(places), 4, 4, 4, 1), np.uint8)
    for volume, some in zip(made, places, strict=True):
        for place in some:
            volume[place] = 255
    return made


def test_occupancy_is_the_share_of_voxels_that_are_at_least_half_bright() -> None:
    made = volumes([(0, 0, 0), (1, 1, 1)], [])
    made[1, 0, 0], made[1, 3, 3] = 128, 127
    assert occupancy(made).tolist() == [2 / 64, 4 / 64]


def test_parts_hang_together_by_faces_edges_and_corners() -> None:
    made = volumes(
        [(0, 0, 0), (0, 0, 1), (0, 1, 2), (1, 2, 3)],
        [(0, 0, 0), (0, 0, 2)],
        [(0, 0, 0), (3, 3, 3), (3, 3, 2), (3, 2, 2)],
        [],
    )
    found = connected(made)
    assert found.parts.tolist() == [1, 2, 2, 0]
    np.testing.assert_array_equal(found.largest, [1, 0.5, 0.75, np.nan])
