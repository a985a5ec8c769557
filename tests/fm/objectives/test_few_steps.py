"""MeanFlow and Shortcut, against flows whose mean velocities are known."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fm.batches import Batch
from fm.field import Field
from fm.grids import time_grid
from fm.guidance import guided
from fm.networks import TransformerOptions, UNetOptions
from fm.noise import Draws, Purpose
from fm.objectives import MeanFlow, Objective, Shortcut
from fm.objectives.mean_flow import forward_mode
from fm.objectives.parting import rows_of
from fm.paths import CondOT, Path, PathSample, like
from fm.solvers import Solver
from fm.targets import Velocity
from tests.fm.gaussian_data import DEVIATION, MEAN
from tests.fm.networks.random import random
from tests.fm.objectives.flow_maps import OfGaussian, OfSpots

PARTS = {"path": "cond_ot", "coupling": "independent", "timesteps": "uniform"}
MEAN_FLOW = MeanFlow.of({"name": "mean_flow", **PARTS})
SHORTCUT = Shortcut.of({"name": "shortcut", **PARTS})
assert isinstance(MEAN_FLOW, MeanFlow)
assert isinstance(SHORTCUT, Shortcut)
WRONG = 1.01


def batch(count: int, shape: tuple[int, ...] = (1,)) -> Batch:
    """Of the Gaussian data, float64."""
    draws = Draws(0, range(count))
    data = MEAN + DEVIATION * draws.normal(shape, Purpose.SAMPLE).double()
    return Batch(data, {}, {}, draws)


def spans(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points in the plane, and from when until when."""
    random_numbers = torch.Generator().manual_seed(0)
    t = 0.6 * torch.rand(count, generator=random_numbers, dtype=torch.float64)
    return 2 * torch.randn(count, 2, generator=random_numbers, dtype=torch.float64), t, t + 0.35


@pytest.mark.parametrize("path", ["cond_ot", "cosine"])
@pytest.mark.parametrize(("derivative", "within"), [("forward", 1e-5), ("difference", 0.02)])
def test_mean_velocities_obey_the_identity(path: str, derivative: str, within: float) -> None:
    """u = v + (r - t) du/dt, and no longer where u is a hundredth larger."""
    x, t, until = spans(40)
    objective = replace(MEAN_FLOW, derivative=derivative, step=1e-3)

    def beside(scale: float) -> float:
        network = OfSpots(Path.of(path), scale)
        u, v = network(x, t, {}, until), network.velocity(x, t)
        rate = objective.rate(network, x, t, until, {}, v, u)
        return float((u - v - like(until - t, x) * rate).abs().max())

    assert beside(1.0) < within
    assert beside(WRONG) > 0.015
    assert beside(1.1) > 0.15


@pytest.mark.parametrize(
    "objective",
    [
        replace(MEAN_FLOW, exponent=0.0),
        replace(MEAN_FLOW, exponent=0.0, tangent="pair", derivative="forward"),
        SHORTCUT,
    ],
    ids=["improved", "first", "shortcut"],
)
def test_what_is_learnt_is_the_mean_velocity(objective: Objective) -> None:
    """There the loss is level, within what chance leaves of it, and a hundredth beside it is not."""

    def slope(scale: float) -> float:
        network = OfGaussian(CondOT(), scale)
        loss = objective.loss(network, batch(1_000_000), OfGaussian(CondOT(), scale))
        (slope,) = torch.autograd.grad(loss, network.scale)
        return float(slope)

    assert abs(slope(1.0)) < 0.006
    assert slope(WRONG) > 0.008
    assert slope(1 / WRONG) < -0.008


@pytest.mark.parametrize("scale", [2.0, 1.3])
def test_guidance_is_learnt_as_it_would_be_sampled(scale: float) -> None:
    """Where the network says the guided velocity, that is what its pairs' mean velocity is turned into."""
    objective = replace(MEAN_FLOW, guidance=scale)
    labels = torch.tensor([0, 1, 2, 1]).double()
    x, t = torch.tensor([[-1.0], [0.3], [0.5], [2.0]], dtype=torch.float64), torch.linspace(0.1, 0.9, 4).double()
    rows = torch.tensor([1, 3])

    def of_label(label: torch.Tensor) -> torch.Tensor:
        return torch.sin(3 * x + like(label + t, x))

    class Knows(nn.Module):
        def forward(self, x, t, condition, until):  # type: ignore[no-untyped-def]
            label = condition["label"]
            none = of_label(torch.full_like(label, 2.0))
            return torch.where(like(label == 2, x), none, off * guided(none, of_label(label), torch.tensor(scale)))

    mean = PathSample(x, of_label(labels), x, x, t)
    given, null = {"label": labels}, {"label": torch.full_like(labels, 2.0)}
    some = Batch(x, given, given, Draws(0, range(4)), null=null)
    off = 1.0
    learnt, along = objective.velocities(Knows(), some, mean, rows)
    right = Knows()(x, t, given, t)
    torch.testing.assert_close(learnt, right)
    torch.testing.assert_close(along, right[rows])
    assert torch.equal(learnt[2], of_label(labels)[2])  # its label is withheld
    off = WRONG
    learnt, _ = objective.velocities(Knows(), some, mean, rows)
    assert float((learnt - Knows()(x, t, given, t)).abs().max()) > 1e-3
    with pytest.raises(ValueError, match="this one has none"):
        objective.velocities(Knows(), some._replace(null=None), mean, rows)


def test_two_halves_are_a_whole() -> None:
    x, t, until = spans(40)

    def beside(scale: float) -> float:
        network = OfSpots(CondOT(), scale)
        return float((SHORTCUT.by_halves(network, x, t, until, {}) - network(x, t, {}, until)).abs().max())

    assert beside(1.0) < 1e-5
    assert beside(WRONG) > 1e-3


def test_the_shortest_halves_are_no_steps() -> None:
    seen = []

    class Asked(nn.Module):
        def forward(self, x, t, condition, until):  # type: ignore[no-untyped-def]
            seen.append((until - t).tolist())
            return torch.zeros_like(x)

    t = torch.tensor([0.0, 0.5])
    SHORTCUT.by_halves(Asked(), torch.zeros(2, 1), t, t + torch.tensor([1 / 64, 1 / 2]), {})
    assert seen == [[0.0, 0.25], [0.0, 0.25]]


def test_steps_begin_at_multiples_of_their_length() -> None:
    some = batch(4000)
    rows = rows_of(some, 0.25)
    t, until = SHORTCUT.times(some, rows)
    others = torch.ones(4000, dtype=torch.bool).index_fill(0, rows, False)
    assert len(rows) == 1000
    assert torch.equal(t[others], until[others])
    length = until[rows] - t[rows]
    lengths, counts = length.unique(return_counts=True)
    torch.testing.assert_close(lengths, 2.0 ** torch.arange(-6, 1).double())
    assert counts.min() > 100
    assert torch.equal(t[rows] % length, torch.zeros(1000).double())
    assert float(until.max()) <= 1


@pytest.mark.parametrize("objective", [MEAN_FLOW, SHORTCUT], ids=["mean_flow", "shortcut"])
def test_a_batch_in_parts_has_the_same_loss(objective: Objective) -> None:
    network, averaged = OfGaussian(CondOT(), 0.9), OfGaussian(CondOT(), 0.8)
    whole = batch(100)
    parts = [objective.loss(network, part, averaged) * len(part.data) / 100 for part in whole.in_parts(3)]
    torch.testing.assert_close(sum(parts), objective.loss(network, whole, averaged))


@pytest.mark.parametrize("options", [UNetOptions(8, blocks=1), TransformerOptions(16, blocks=1)], ids=["unet", "dit"])
def test_both_derivatives_agree_on_both_networks(options: UNetOptions | TransformerOptions) -> None:
    network = random(options, (1, 8, 8), {}, until=True)
    x, t = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.linspace(0, 0.7, 8)
    with torch.no_grad():
        u = network(x, t, {}, until=t + 0.3)
        rates = [
            replace(MEAN_FLOW, derivative=each).rate(network, x, t, t + 0.3, {}, -x, u)
            for each in ("forward", "difference")
        ]
    assert float((rates[0] - rates[1]).norm() / rates[0].norm()) < 0.05


def test_differences_are_lost_in_bfloat16_alone() -> None:
    network = random(UNetOptions(8, blocks=1), (1, 8, 8), {}, until=True)
    x, t = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.linspace(0, 0.7, 8)

    def off(kind: torch.dtype) -> float:
        """By how much of du/dt."""
        with torch.no_grad():
            exact = forward_mode(network.float(), x, t, t + 0.3, {}, -x)
            x_low, t_low, until = (one.to(kind) for one in (x, t, t + 0.3))
            u = network.to(kind)(x_low, t_low, {}, until=until)
            found = MEAN_FLOW.rate(network, x_low, t_low, until, {}, -x_low, u)
        return float((found.float() - exact).norm() / exact.norm())

    assert off(torch.float32) < 0.04
    assert off(torch.bfloat16) > 1


def test_differences_are_taken_in_full_and_without_dropout() -> None:
    """In bfloat16 the difference would be off by du/dt itself, with dropout by several of it."""
    network = random(UNetOptions(8, blocks=1, dropout=0.5), (1, 8, 8), {}, until=True)
    x, t = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.linspace(0, 0.7, 8)

    def rate() -> torch.Tensor:
        with torch.no_grad():
            u = network(x, t, {}, until=t + 0.3)
            return MEAN_FLOW.rate(network, x, t, t + 0.3, {}, -x, u)

    plain = rate()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(rate(), plain)
    network.train()
    assert torch.equal(rate(), plain)
    assert network.training


@pytest.mark.parametrize("grid", ["uniform", "shifted", "cosine", "edm"])
@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_jumps_on_any_grid_end_where_the_flow_does(grid: str, steps: int) -> None:
    """From where the grid begins, which need not be t = 0."""
    times = time_grid(grid, CondOT(), steps, 0.0, 1.0)

    def apart(scale: float) -> float:
        network = OfGaussian(CondOT(), scale)
        field = Field(network, CondOT(), Velocity())
        x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
        mean, deviation = network.moments(times[:1], x)
        found = Solver.of("jump").draw(field, x, times, lambda: x)
        assert field.nfe == steps
        return float((found - MEAN - DEVIATION * (x - mean) / deviation).abs().max())

    assert apart(1.0) < 1e-12
    assert apart(WRONG) > 1e-3


@pytest.mark.parametrize("solver", ["euler", "midpoint", "heun", "ddim", "dpmpp_2m"])
def test_told_one_time_the_same_network_is_an_ordinary_velocity(solver: str) -> None:
    field = Field(OfGaussian(CondOT()), CondOT(), Velocity())
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    found = Solver.of(solver).draw(field, x, torch.linspace(0, 1, 401, dtype=torch.float64), lambda: x)
    assert float((found - MEAN - DEVIATION * x).abs().max()) < 0.01
