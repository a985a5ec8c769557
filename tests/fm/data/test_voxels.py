"""Voxels of bodies whose volume is known."""

import numpy as np
import pytest
from scipy import ndimage

from fm.data.voxels import barycentric, mesh, voxelised

CUBE = b"""
# a cube, of squares
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 0 0 1
v 1 0 1
v 1 1 1
v 0 1 1
f 1 2 3 4
f 5/1 6/2 7/3 8/4
f 1//1 2//1 6//1 5//1
f 2 3 7 6
f 3 4 8 7
f -5 -8 -4 -1
"""


def corners(obj: bytes, scale: float, move: float) -> np.ndarray:
    surface = mesh(obj)
    return surface.points[surface.triangles] * scale + move


def sphere(rings: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Points of a sphere of radius 1, and its triangles."""
    down, round_ = np.meshgrid(np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij")
    points = np.stack([np.sin(down) * np.cos(round_), np.sin(down) * np.sin(round_), np.cos(down)], axis=-1)
    squares = [points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]]
    first, second, third, fourth = (square.reshape(-1, 3) for square in squares)
    return points, np.concatenate([np.stack([first, second, third], 1), np.stack([first, third, fourth], 1)])


def test_a_file_of_faces_is_read_whatever_else_it_says() -> None:
    cube = mesh(CUBE + b"vn 0 0 1\nvt 0 0\nusemtl wood\no lid\ns 1\n\n")
    assert cube.points.shape == (8, 3)
    assert len(cube.triangles) == 12
    assert cube.triangles[:2].tolist() == [[0, 1, 2], [0, 2, 3]]
    assert sorted(set(cube.triangles[-2:].ravel())) == [0, 3, 4, 7]


@pytest.mark.parametrize(
    ("obj", "says"),
    [(b"v 0 0 0\n", "without faces"), (b"v 0 0 0\nf 1 2 3\n", "not there"), (b"v 0 0 0\nf -1 -2 -3\n", "not there")],
)
def test_a_file_of_no_surface_is_told(obj: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        mesh(obj)


def test_a_cube_is_filled() -> None:
    made = voxelised(corners(CUBE, scale=6, move=1.5), side=10)
    assert made.sum() == 7**3
    assert made[1:8, 1:8, 1:8].all()


def test_without_a_lid_nothing_is_enclosed() -> None:
    open_box = CUBE.replace(b"f 5/1 6/2 7/3 8/4\n", b"")
    made = voxelised(corners(open_box, scale=6, move=1.5), side=10)
    assert made.sum() == 7**3 - 5 * 5 * 6
    assert not made[3, 3, 5]


def test_a_sphere_has_its_volume() -> None:
    _, triangles = sphere()
    radius = 12.0
    made = voxelised(triangles * radius + 16, side=32)
    between = [4 / 3 * np.pi * (radius + more) ** 3 for more in (0, 1)]
    assert between[0] < made.sum() < between[1]
    assert ndimage.label(made)[1] == 1


@pytest.mark.parametrize("turn", [0.1, 0.7, 1.3])
def test_a_turned_cube_lets_nothing_out(turn: float) -> None:
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    made = voxelised((corners(CUBE, scale=15, move=-7.5) @ (about_z @ about_x).T) + 16, side=32)
    assert made[16, 16, 16]
    assert 15**3 < made.sum() < 17**3


def test_what_ends_at_the_wall_is_in_the_last_voxel() -> None:
    made = voxelised(corners(CUBE, scale=4, move=0), side=4)
    assert made.all()


def test_points_of_a_triangle_are_shares_of_its_corners() -> None:
    shares = barycentric(5)
    assert len(shares) == 6 * 7 // 2
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares.min() == 0
    assert len(np.unique(shares, axis=0)) == len(shares)
