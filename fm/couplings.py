"""Which noise is paired with which datum. Noise is permuted; data and labels keep their places."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from fm.components import Component
from fm.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Coupling(Component, ABC, kind="coupling"):
    """Which noise goes to which datum.

    >>> Coupling.of("optimal_transport")
    OptimalTransport()
    """

    @abstractmethod
    def __call__(self, x0: Tensor, x1: Tensor, labels: Tensor | None = None) -> Tensor:
        """x0 (B, ...) permuted along its first axis to fit x1 (B, ...) and labels (B,)."""


class Independent(Coupling, name="independent", says="at random", source="Lipman et al. 2022, arXiv 2210.02747"):
    """Noise stays where it was drawn.

    >>> Independent()(torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [1.0]]))
    tensor([[1.],
            [0.]])
    """

    def __call__(self, x0: Tensor, x1: Tensor, labels: Tensor | None = None) -> Tensor:
        return x0


class Assigned(Coupling):
    """A coupling that is an assignment, which takes the CPU as long as a step may take a GPU: so that no step waits for
    it, whoever prepares batches makes it (fm.batches).

    >>> OptimalTransport().rows(torch.tensor([[1.0], [0.0]]), torch.tensor([[0.1], [0.9]]))
    tensor([1, 0])
    """

    @abstractmethod
    def rows(self, x0: Tensor, x1: Tensor, labels: Tensor | None = None) -> Tensor:
        """Which row of x0 (B, ...) goes to each of x1 (B, ...) and labels (B,): int64 (B,), every row once."""

    def __call__(self, x0: Tensor, x1: Tensor, labels: Tensor | None = None) -> Tensor:
        return x0[self.rows(x0, x1, labels)]


class OptimalTransport(
    Assigned,
    name="optimal_transport",
    says="by optimal transport within each batch",
    source="Tong et al. 2023, arXiv 2302.00482; Pooladian et al. 2023, arXiv 2304.14772",
):
    """Minibatch optimal transport under squared Euclidean cost, by exact assignment. Every row is used once.

    >>> OptimalTransport()(torch.tensor([[1.0], [0.0]]), torch.tensor([[0.1], [0.9]]))
    tensor([[0.],
            [1.]])
    """

    def rows(self, x0: Tensor, x1: Tensor, labels: Tensor | None = None) -> Tensor:
        return assignment(x0, x1)


class LabelledOptimalTransport(
    Assigned,
    name="labelled_optimal_transport",
    says="by optimal transport within each batch and label",
    source="Cheng & Schwing 2025, arXiv 2503.10636, section 3",
):
    """Optimal transport within each label's rows, which leaves the prior given a label what it was: plain minibatch
    transport skews it.

    >>> noise, data = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.1], [0.9]])
    >>> LabelledOptimalTransport()(noise, data, labels=torch.tensor([3, 5]))
    tensor([[1.],
            [0.]])
    """

    def rows(self, x0: Tensor, x1: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            raise ValueError("labelled_optimal_transport needs labels")
        found = torch.empty_like(labels, dtype=torch.int64)
        for label in torch.unique(labels):
            here = torch.nonzero(labels == label).squeeze(1)
            found[here] = here[assignment(x0[here], x1[here])]
        return found


STEPS_OF_ONE = 2**16
"""How finely an assignment sees numbers: up to 8 they then have 20 bits."""

COLUMNS = 512
"""How many numbers of each datum are multiplied at a time: what lies between stays in the core's cache."""


def assignment(x0: Tensor, x1: Tensor) -> Tensor:
    """The permutation of x0's rows with the least total squared distance to x1's rows, int64 (B,).

    The squares of the rows are the same in every permutation, so that it is that of the largest total inner product.
    Products of numbers of 20 bits add up in float64 without rounding, 8,000 of them: whatever the order in which a
    machine, or its threads, add them, the assignment is the same.
    """
    from scipy.optimize import linear_sum_assignment  # takes a second, which checking settings can do without

    product = torch.zeros(len(x1), len(x0), dtype=torch.float64)
    flat0, flat1 = x0.detach().flatten(1), x1.detach().flatten(1)
    for start in range(0, flat0.shape[1], COLUMNS):
        some = slice(start, start + COLUMNS)
        product.addmm_(in_steps(flat1[:, some]), in_steps(flat0[:, some]).T)
    _, found = linear_sum_assignment(product.numpy(), maximize=True)
    return torch.from_numpy(found).to(x0.device)


def in_steps(x: Tensor) -> Tensor:
    """Whole numbers of steps, float64 on the CPU."""
    return (x.cpu() * STEPS_OF_ONE).round_().double()
