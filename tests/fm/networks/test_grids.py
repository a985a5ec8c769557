import pytest
import torch
from torch.nn import functional as F

from fm.networks.grids import cut, depth_to_space, grid_of, joined, sine_cosine_positions, space_to_depth

SHAPES = pytest.mark.parametrize("spatial", [(), (6,), (4, 10), (2, 4, 6), (2, 4, 2, 6)])


@SHAPES
def test_cutting_and_joining_are_each_others_reverse(spatial: tuple[int, ...]) -> None:
    x = torch.randn(3, 5, *spatial)
    patches = space_to_depth(x, 2)
    assert patches.shape == (3, 5 * 2 ** len(spatial), *grid_of(x.shape[1:], 2))
    assert torch.equal(depth_to_space(patches, 2), x)


@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_along_two_axes_it_is_pytorchs_own(patch_size: int) -> None:
    x = torch.randn(2, 3, 8, 12)
    patches = F.pixel_unshuffle(x, patch_size)
    assert torch.equal(cut(x, patch_size), patches)
    assert torch.equal(joined(patches, patch_size), x)


def test_a_patch_holds_what_lies_together() -> None:
    x = torch.arange(2 * 4 * 4).reshape(1, 1, 2, 4, 4)
    assert cut(x, 2)[0, :, 0, 1, 0].tolist() == x[0, 0, 0:2, 2:4, 0:2].flatten().tolist()


@SHAPES
@pytest.mark.parametrize("width", [8, 16, 24])
def test_every_point_has_a_position_of_its_own(spatial: tuple[int, ...], width: int) -> None:
    positions = sine_cosine_positions(spatial, width)
    points = int(torch.tensor(spatial).prod()) if spatial else 1
    assert positions.shape == (points, width)
    assert len(torch.unique(positions, dim=0)) == points


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="7 of the shape"):
        grid_of((1, 4, 7), 2)
