import itertools

import pytest
import torch

from fm.couplings import Independent, LabelledOptimalTransport, OptimalTransport


def draw(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    x0, x1 = torch.randn(2, rows, 1, 2, 2, generator=torch.Generator().manual_seed(3))
    return x0, x1


def cost(x0: torch.Tensor, x1: torch.Tensor) -> float:
    return float((x0 - x1).square().sum())


def rows_of(x: torch.Tensor) -> list[tuple[float, ...]]:
    return sorted(tuple(row) for row in x.flatten(1).tolist())


def test_independent_leaves_the_noise() -> None:
    x0, x1 = draw(4)
    assert Independent()(x0, x1) is x0


def test_optimal_transport_is_the_cheapest_of_all_permutations() -> None:
    x0, x1 = draw(6)
    paired = OptimalTransport()(x0, x1)
    cheapest = min(cost(x0[list(order)], x1) for order in itertools.permutations(range(6)))
    assert cost(paired, x1) == pytest.approx(cheapest)
    assert rows_of(paired) == rows_of(x0)


def test_labelled_transport_stays_within_its_label() -> None:
    x0, x1 = draw(30)
    labels = torch.arange(30) % 3
    paired = LabelledOptimalTransport()(x0, x1, labels)
    for label in range(3):
        rows = labels == label
        assert rows_of(paired[rows]) == rows_of(x0[rows])
        assert cost(paired[rows], x1[rows]) < cost(x0[rows], x1[rows])
    with pytest.raises(ValueError, match="needs labels"):
        LabelledOptimalTransport()(x0, x1)
