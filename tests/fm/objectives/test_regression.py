import dataclasses

import pytest
import torch
from torch import Tensor, nn

from fm import targets, weights
from fm.batches import Batch
from fm.components import Choice, known
from fm.conditions import Condition
from fm.noise import Draws, Purpose
from fm.objectives import Objective, Regression
from fm.paths import CondOT, Path, Quantity, like
from fm.targets import Target
from fm.weights import EDM, Weight
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


class Twice(Weight):
    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        return 2 * torch.ones_like(t)


def test_a_weight_of_your_own_is_any_function_of_time() -> None:
    objective = Regression.named("cond_ot", "independent", "uniform", "data", "flat")
    doubled = dataclasses.replace(objective, weight=Twice())
    assert loss_of(doubled, 0.5) == pytest.approx(2 * loss_of(objective, 0.5))


def test_an_objective_is_chosen_with_its_parts() -> None:
    choice: Choice = {
        "name": "regression",
        "path": {"name": "polynomial", "n": 3.0},
        "coupling": "independent",
        "timesteps": "stratified",
        "target": "edm",
        "weight": "edm",
    }
    objective = Objective.of(choice)
    assert isinstance(objective, Regression)
    assert objective.choice == choice
    scaled = objective.at_scale(0.7)
    assert (scaled.target, scaled.weight) == (Target.of({"name": "edm", "sigma_data": 0.7}), EDM(sigma_data=0.7))
    with pytest.raises(ValueError, match=r"no coupling 'independant'.*did you mean independent"):
        Objective.of(choice | {"coupling": "independant"})


@pytest.mark.parametrize("shape", [(3,), (2, 7), (3, 4, 6), (2, 3, 4, 4), (1, 4, 3, 5)])
@pytest.mark.parametrize("coupling", known("coupling"))
def test_any_shape_learns_by_any_coupling(shape: tuple[int, ...], coupling: str) -> None:
    """Vectors, sequences, oblong images, videos and volumes: a step of training makes the loss of its batch smaller."""
    objective = Regression.named("cond_ot", coupling, "stratified", "velocity", "flat")
    torch.manual_seed(0)
    network = Pointwise(shape[0])
    data = 1 + 0.1 * torch.randn(8, *shape)
    labels = {"label": torch.tensor([0, 1] * 4)}
    batch = Batch(data, labels, labels, Draws(0, range(8)))
    before = objective.loss(network, batch, network)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)
    before.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    assert float(objective.loss(network, batch, network)) < float(before)


class Pointwise(nn.Module):
    """One layer on every point of whatever grid there is."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = nn.Linear(channels + 1, channels)

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        h = torch.cat([x, like(t, x).expand_as(x[:, :1])], dim=1)
        out: Tensor = self.layer(h.movedim(1, -1)).movedim(-1, 1)
        return out


def test_transport_within_labels_needs_labels() -> None:
    objective = Regression.named("cond_ot", "labelled_optimal_transport", "uniform", "velocity", "flat")
    network = Pointwise(3)
    with pytest.raises(ValueError, match="needs labels"):
        objective.loss(network, Batch(torch.zeros(2, 3), {}, {}, Draws(0, range(2))), network)


def test_the_scale_of_the_data_is_one_for_target_and_weight() -> None:
    parts = {"path": "edm", "coupling": "independent", "timesteps": "edm", "weight": "edm"}
    measured = Regression.of({"name": "regression", "target": "edm", **parts}).at_scale(0.3)
    chosen = Regression.of({"name": "regression", "target": {"name": "edm", "sigma_data": 0.5}, **parts}).at_scale(0.3)
    assert (measured.target, measured.weight) == (targets.EDM(0.3), weights.EDM(0.3))
    assert (chosen.target, chosen.weight) == (targets.EDM(0.5), weights.EDM(0.5))
