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


class OptimalTransport(
    Coupling,
    name="optimal_transport",
    says="by optimal transport within each batch",
    source="Tong et al. 2023, arXiv 2302.00482; Pooladian et al. 2023, arXiv 2304.14772",
):
    """Minibatch optimal transport under squared Euclidean cost, by exact assignment. Every row is used once.

    >>> OptimalTransport()(torch.tensor([[1.0], [0.0]]), torch.tensor([[0.1], [0.9]]))
    tensor([[0.],
            [1.]])
    """

    def __call__(self, x0: Tensor, x1: Tensor, labels: Tensor | None = None) -> Tensor:
        return x0[assignment(x0, x1)]


class LabelledOptimalTransport(
    Coupling,
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

    def __call__(self, x0: Tensor, x1: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            raise ValueError("labelled_optimal_transport needs labels")
        paired = torch.empty_like(x0)
        for label in torch.unique(labels):
            rows = torch.nonzero(labels == label).squeeze(1)
            paired[rows] = x0[rows][assignment(x0[rows], x1[rows])]
        return paired


def assignment(x0: Tensor, x1: Tensor) -> Tensor:
    """The permutation of x0's rows with the least total squared distance to x1's rows, int64 (B,)."""
    from scipy.optimize import linear_sum_assignment  # takes a second, which checking settings can do without

    cost = torch.cdist(x1.flatten(1).double(), x0.flatten(1).double()).square()
    _, columns = linear_sum_assignment(cost.cpu().numpy())
    return torch.from_numpy(columns).to(x0.device)
