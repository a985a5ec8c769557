import dataclasses

import pytest
import torch
from torch import Tensor, nn

from fm.batches import Batch
from fm.components import known
from fm.conditions import Condition
from fm.noise import Draws, Purpose
from fm.objectives import Regression
from fm.paths import CondOT
from tests.fm.gaussian_data import DEVIATION, MEAN, ends_of


class Constant(nn.Module):
    """A network that always says the same."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        return torch.full_like(x, self.value)


class At(Draws):
    """Draws whose times are given."""

    def __init__(self, u: Tensor) -> None:
        super().__init__(seed=0, positions=range(len(u)))
        self.u = u

    def uniform(self, count: int, purpose: Purpose) -> Tensor:
        return self.u[:, None]


def batch_of(x0: Tensor, x1: Tensor, u: Tensor) -> Batch:
    labels = {"label": torch.zeros(len(x1), dtype=torch.int64)}
    return Batch(x1, labels, labels, At(u), source=x0)


def loss_of(objective: Regression, value: float) -> float:
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(4000, 1, 2, 2, generator=generator)
    x1 = 0.5 + 0.1 * torch.randn(4000, 1, 2, 2, generator=generator)
    network = Constant(value)
    return float(objective.loss(network, batch_of(x0, x1, torch.rand(4000, generator=generator)), network))


@pytest.mark.parametrize(
    ("path", "target", "value", "expected"),
    [
        ("cond_ot", "velocity", 0.5, 1.01),  # var(x1 - x0), at its mean
        ("cond_ot", "data", 0.5, 0.01),
        ("ddpm", "noise", 0.0, 1.0),
        ("ddpm", "noise", 1.0, 2.0),
    ],
)
def test_loss_of_a_constant_prediction(path: str, target: str, value: float, expected: float) -> None:
    objective = Regression.named(path, "independent", "uniform", target, "flat")
    assert loss_of(objective, value) == pytest.approx(expected, rel=0.05)


def test_the_minimum_for_gaussian_data_is_the_posterior_variance() -> None:
    """No network does better than E[x1 | x_t], and that one leaves Var[x1 | x_t]."""

    class Posterior(nn.Module):
        def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
            return ends_of(CondOT())(x, t).x1

    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(40_000, 1, 2, 2, generator=generator)
    x1 = MEAN + DEVIATION * torch.randn(40_000, 1, 2, 2, generator=generator)
    u = torch.full((40_000,), 0.6)
    objective = Regression.named("cond_ot", "independent", "uniform", "data", "flat")
    expected = DEVIATION**2 * 0.4**2 / (0.6**2 * DEVIATION**2 + 0.4**2)
    assert float(objective.loss(Posterior(), batch_of(x0, x1, u), Posterior())) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("path", known("path"))
@pytest.mark.parametrize("target", ["velocity", "data", "noise", "v", "edm"])
@pytest.mark.parametrize("weight", ["flat", "min_snr"])
def test_the_loss_is_finite_even_for_the_rarest_times(path: str, target: str, weight: str) -> None:
    objective = Regression.named(path, "independent", "uniform", target, weight)
    x0, x1 = torch.randn(2, 3, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    loss = objective.loss(Constant(0.0), batch_of(x0, x1, torch.tensor([0.0, 0.5, 1 - 2.0**-24])), Constant(0.0))
    assert torch.isfinite(loss)


def test_a_weight_of_your_own_is_any_function_of_time() -> None:
    objective = Regression.named("cond_ot", "independent", "uniform", "data", "flat")
    doubled = dataclasses.replace(objective, weight=lambda t, path, target: 2 * torch.ones_like(t))
    assert loss_of(doubled, 0.5) == pytest.approx(2 * loss_of(objective, 0.5))
