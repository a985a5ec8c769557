import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from fm.couplings import Independent, LabelledOptimalTransport, OptimalTransport, assignment, in_steps


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


@given(rows=st.integers(1, 24), labels=st.integers(1, 4), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_every_coupling_uses_every_row_once_and_never_costs_more(rows: int, labels: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x0, x1 = torch.randn(2, rows, 3, generator=generator)
    label = torch.randint(0, labels, (rows,), generator=generator)
    costs = []
    for coupling in (OptimalTransport(), LabelledOptimalTransport(), Independent()):
        paired = coupling(x0, x1, label)
        assert rows_of(paired) == rows_of(x0)
        assert torch.equal(paired, coupling(x0, x1, label))
        costs.append(cost(paired, x1))
    assert costs == sorted(costs) or costs == pytest.approx(sorted(costs))


def test_plain_transport_skews_the_noise_of_a_label_and_labelled_does_not() -> None:
    """With one label's data to the left, plain transport gives it the left half of the noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 2
    x0 = torch.randn(200, 1, generator=generator)
    x1 = 4.0 * labels[:, None] - 2 + 0.1 * torch.randn(200, 1, generator=generator)
    plain, labelled = OptimalTransport()(x0, x1), LabelledOptimalTransport()(x0, x1, labels)
    assert float(plain[labels == 0].mean()) < -0.6
    assert torch.equal(labelled[labels == 0].sort(0).values, x0[labels == 0].sort(0).values)


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


@pytest.mark.parametrize("shape", [(3,), (3, 32, 32)])
def test_an_assignment_does_not_depend_on_the_order_of_addition(shape: tuple[int, ...]) -> None:
    """Nor, then, on threads, machine or process: its products add up without rounding."""
    x0, x1 = torch.randn(2, 96, *shape, generator=torch.Generator().manual_seed(3))
    order = torch.randperm(x0[0].numel(), generator=torch.Generator().manual_seed(4))
    mixed0, mixed1 = (x.flatten(1)[:, order] for x in (x0, x1))
    assert torch.equal(assignment(x0, x1), assignment(mixed0, mixed1))
    a, b = in_steps(x1.flatten(1)), in_steps(x0.flatten(1))
    assert torch.equal(a @ b.T, a[:, order] @ b[:, order].T)


def test_an_assignment_is_that_of_the_squared_distances() -> None:
    x0, x1 = torch.randn(2, 128, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    cost = torch.cdist(x1.flatten(1).double(), x0.flatten(1).double()).square()
    assert assignment(x0, x1).tolist() == linear_sum_assignment(cost.numpy())[1].tolist()
