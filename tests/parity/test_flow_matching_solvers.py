"""Held against flow_matching 1.0.10: solvers, likelihoods, and sampling along another path than the trained one.

Their solvers are torchdiffeq's: heun2 is our heun, and rk4 is Kutta's 3/8 rule for both. They tell the model one t for
all rows, count no calls themselves (their examples' nfe counts steps), and leave guidance to their examples, whose
scale is ours minus one.
"""

from collections.abc import Iterator

import pytest
import torch
from flow_matching.path import AffineProbPath
from flow_matching.path.scheduler import (
    CondOTScheduler,
    CosineScheduler,
    Scheduler,
    ScheduleTransformedModel,
    VPScheduler,
)
from flow_matching.solver import ODESolver
from flow_matching.utils import ModelWrapper
from torch import Tensor

from fm.field import Field
from fm.likelihood import log_likelihood
from fm.paths import CondOT, Cosine, Path, VariancePreserving, like
from fm.solvers import ode, solve
from fm.targets import Velocity
from tests.parity.agreement import COEFFICIENTS, SHAPE, TIMES, Fault, Network, noise_and_data, normal, notices, same

SOLVERS = {"euler": "euler", "midpoint": "midpoint", "heun": "heun2", "rk4": "rk4"}
UNEVEN = 0.95 * torch.linspace(0, 1, 9, dtype=torch.float64) ** 1.5


class FromData(ModelWrapper):
    """Their velocity of a network that predicts the data."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(Network())
        self.path = AffineProbPath(scheduler)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.path.target_to_velocity(self.model(x, t), x_t=x, t=t)


def from_data(path: Path) -> ode.Velocity:
    """Our velocity of the same network."""
    network = Network()
    return lambda x, t: path.convert(network(x, t), x, t, source="data", target="velocity")


@notices(*COEFFICIENTS, "time")
@pytest.mark.parametrize("solver", SOLVERS)
def test_fixed_steps(solver: str, fault: Fault) -> None:
    theirs = ODESolver(FromData(CosineScheduler())).sample(
        normal(*SHAPE), step_size=None, method=SOLVERS[solver], time_grid=UNEVEN
    )
    ours = solve(from_data(fault.path(Cosine())), normal(*SHAPE), solver, times=fault.times(UNEVEN))
    same(ours.x1, theirs)


@notices(*COEFFICIENTS)
@pytest.mark.parametrize("tolerance", [1e-6, 1e-9])
def test_adaptive_steps(tolerance: float, fault: Fault) -> None:
    theirs = ODESolver(FromData(CosineScheduler())).sample(
        normal(*SHAPE), step_size=None, method="dopri5", atol=tolerance, rtol=tolerance, time_grid=UNEVEN
    )
    ours = solve(
        from_data(fault.path(Cosine())), normal(*SHAPE), {"name": "dopri5", "tolerance": tolerance}, times=UNEVEN
    )
    # Theirs steps over the end and interpolates, ours ends there.
    same(ours.x1, theirs, 10 * tolerance)


@notices(*COEFFICIENTS)
def test_backwards(fault: Fault) -> None:
    backwards = UNEVEN.flip(0)
    theirs = ODESolver(FromData(CosineScheduler())).sample(
        normal(*SHAPE), step_size=None, method="midpoint", time_grid=backwards
    )
    same(solve(from_data(fault.path(Cosine())), normal(*SHAPE), "midpoint", times=backwards).x1, theirs)


STEPS, SPREAD, SMALL = 12, 0.8, Network(4)
"""Of the likelihoods: the steps, the prior's standard deviation, the network."""


def from_both_ends(x: Tensor, t: Tensor, d_alpha: Tensor, d_sigma: Tensor) -> Tensor:
    """A velocity that exists at t = 1 too: two predictions of one network, taken for the data and for the noise."""
    return d_alpha * SMALL(x, t) + d_sigma * SMALL(-x, 1 - t)


def their_velocity(x: Tensor, t: Tensor) -> Tensor:
    at = CosineScheduler()(t)
    return from_both_ends(x, t, at.d_alpha_t, at.d_sigma_t)


def our_velocity(path: Path) -> ode.Velocity:
    return lambda x, t: from_both_ends(x, t, *path.mixture("velocity", like(t, x)))


def log_prior(x: Tensor) -> Tensor:
    return torch.distributions.Normal(0.0, SPREAD).log_prob(x).sum(1)


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    """Their probe and the start of their integral are of the default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@notices("d_alpha", "d_sigma", "prior")
@pytest.mark.usefixtures("float64_by_default")
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "hutchinson"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_likelihood(solver: str, exact: bool, fault: Fault) -> None:
    x1 = normal(5, 4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x0, log_density = ODESolver(their_velocity).compute_likelihood(
            x1,
            log_prior,
            step_size=None,
            method=SOLVERS[solver],
            time_grid=torch.linspace(1, 0, STEPS + 1),
            exact_divergence=exact,
        )
        torch.manual_seed(0)
        probe = None if exact else torch.where(torch.randn_like(x1) < 0, 1.0, -1.0)
    ours = log_likelihood(
        our_velocity(fault.path(Cosine())),
        x1,
        probe,
        prior_scale=SPREAD * fault.factor("prior"),
        solver=solver,
        steps=STEPS,
    )
    same(ours.x0, x0)
    same(ours.log_density, log_density)


class Wrapped(ModelWrapper):
    """A network that predicts the velocity, for their one t of all rows."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.model(x, t)


CHANGES = pytest.mark.parametrize(
    ("old_scheduler", "old", "new_scheduler", "new"),
    [
        pytest.param(CondOTScheduler(), CondOT(), CosineScheduler(), Cosine(), id="cond_ot to cosine"),
        pytest.param(VPScheduler(), VariancePreserving(), CondOTScheduler(), CondOT(), id="vp to cond_ot"),
        pytest.param(CosineScheduler(), Cosine(), VPScheduler(), VariancePreserving(), id="cosine to vp"),
    ],
)
EITHER_PATH = pytest.mark.parametrize("suspect", ["old", "new"])


def changed(old: Path, new: Path, suspect: str, fault: Fault) -> Field:
    """A network of one path asked along another, one of which is at fault."""
    path, along = (fault.path(old), new) if suspect == "old" else (old, fault.path(new))
    return Field(Network(), path, Velocity(), {"label": torch.zeros(SHAPE[0], dtype=torch.int64)}, along=along)


@notices(*COEFFICIENTS)
@EITHER_PATH
@CHANGES
def test_velocity_along_another_path(
    old_scheduler: Scheduler, old: Path, new_scheduler: Scheduler, new: Path, suspect: str, fault: Fault
) -> None:
    x, _ = noise_and_data()
    transformed = ScheduleTransformedModel(Wrapped(Network()), old_scheduler, new_scheduler)
    field = changed(old, new, suspect, fault)
    theirs = torch.stack([transformed(x, t) for t in TIMES])
    same(torch.stack([field.velocity(x, t.expand(len(x))) for t in TIMES]), theirs)


@notices(*COEFFICIENTS, "time")
@EITHER_PATH
def test_samples_along_another_path(suspect: str, fault: Fault) -> None:
    transformed = ScheduleTransformedModel(Wrapped(Network()), CondOTScheduler(), CosineScheduler())
    theirs = ODESolver(transformed).sample(normal(*SHAPE), step_size=None, method="midpoint", time_grid=UNEVEN)
    field = changed(CondOT(), Cosine(), suspect, fault)
    ours = solve(field.velocity, normal(*SHAPE), "midpoint", times=fault.times(UNEVEN))
    same(ours.x1, theirs)
    # Their nfe would be the 8 steps; ours counts the network's calls.
    assert field.nfe == ours.nfe == 2 * (len(UNEVEN) - 1)
