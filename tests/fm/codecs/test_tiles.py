from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from fm.codecs.tiles import in_tiles, ramp, starts


def doubled(z: Tensor) -> Tensor:
    """Point by point."""
    return 3 * z.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3) + 1


@given(st.integers(1, 40), st.integers(1, 40), st.integers(4, 16))
def test_what_is_decoded_point_by_point_is_the_same_in_tiles(height: int, width: int, side: int) -> None:
    z = torch.randn(2, 3, height, width, dtype=torch.float64)
    torch.testing.assert_close(in_tiles(doubled, z, side, 2), doubled(z), rtol=1e-6, atol=1e-6)


@given(st.integers(1, 40), st.integers(4, 16))
def test_tiles_cover_an_axis_and_overlap_by_a_quarter_at_least(length: int, side: int) -> None:
    first = starts(length, side)
    assert first[0] == 0
    assert first[-1] + min(side, length) == length
    assert all(one + side - other >= side // 4 for one, other in pairwise(first))


def test_a_grid_that_fits_is_decoded_at_once() -> None:
    seen: list[tuple[int, ...]] = []

    def decode(z: Tensor) -> Tensor:
        seen.append(tuple(z.shape))
        return z

    z = torch.randn(2, 1, 8, 6)
    assert in_tiles(decode, z, 8, 1) is z
    in_tiles(decode, torch.randn(2, 1, 9, 6), 8, 1)
    assert seen == [(2, 1, 8, 6), (2, 1, 8, 6), (2, 1, 8, 6)]


def test_neighbours_count_but_near_the_edges_of_tiles() -> None:
    """A blur of 3 x 3 points sees no further than one: what differs is a line, and it has nearly no weight."""
    z = torch.randn(1, 1, 24, 24, dtype=torch.float64)

    def blurred(tile: Tensor) -> Tensor:
        return F.avg_pool2d(tile, 3, stride=1, padding=1)

    apart = (in_tiles(blurred, z, 16, 1) - blurred(z)).abs()[0, 0]
    lines = {8, 15}  # where one tile begins, and where the other ends
    others = [index for index in range(24) if index not in lines]
    assert float(apart[others][:, others].max()) < 1e-6
    assert 0 < float(apart.max()) < 0.2


@pytest.mark.parametrize("side", [4, 8, 16])
def test_ramps_of_neighbours_add_up_to_one(side: int) -> None:
    both = ramp(0, 4 * side, side, 2)[-side // 2 :] + ramp(side, 4 * side, side, 2)[: side // 2]
    torch.testing.assert_close(both, torch.ones(side // 2))
