"""Held against diffusers 0.42.1: Karras et al.'s noise levels, preconditioning and samplers, our path and target EDM.

Their time is the noise level itself, which falls from sigma_max; our t = 1 - level / sigma_max of the path. Their
epsilon prediction is our quantity edm, the F of the paper's equation 7, not the noise.
"""

from functools import partial

import pytest
import torch
from diffusers import EDMDPMSolverMultistepScheduler, EDMEulerScheduler, SchedulerMixin
from torch import Tensor

from fm import grids, targets
from fm.field import Field
from fm.paths import DDPM, EDM, SIGMA_DATA, CondOT, Path, like
from fm.solvers.gaussian import DDIM, DPMSolver, Gaussian, churned
from tests.parity.agreement import SHAPE, TIMES, Fault, Network, noise_and_data, normal, notices, same
from tests.parity.schedulers import stepped

SCHEDULERS = [EDMEulerScheduler, EDMDPMSolverMultistepScheduler]
SAMPLERS = [(EDMEulerScheduler, DDIM), (EDMDPMSolverMultistepScheduler, DPMSolver)]
PATHS = pytest.mark.parametrize("path", [EDM(), CondOT(), DDPM()], ids=lambda path: type(path).__name__)
PRECONDITIONED = TIMES.clamp(min=0.12)
"""DDPM's noise level is about 50 at first; c_noise tells none above 80."""


@notices("ratio_min", "ratio_max", "rho")
@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("steps", [3, 18])
def test_noise_levels(kind: type[SchedulerMixin], steps: int, fault: Fault) -> None:
    scheduler = kind(sigma_min=0.01, sigma_max=40.0, rho=5.0)
    scheduler.set_timesteps(steps)
    grid = grids.EDM(
        rho=5 * fault.factor("rho"),
        ratio_min=0.01 * fault.factor("ratio_min"),
        ratio_max=40 * fault.factor("ratio_max"),
    )
    levels = EDM().ratio(grid(EDM(), steps, 0.0, 1.0))
    assert levels[-1] == scheduler.sigmas[-1] == 0
    # They keep the levels in float32.
    same(levels[:-1].log(), scheduler.sigmas[:-1].log(), 1e-5)


# Preconditioning holds on any path: theirs is of x / alpha, whose noise level is sigma / alpha.


def unscaled(path: Path, x_t: Tensor) -> tuple[Tensor, Tensor]:
    """x / alpha and its noise level."""
    return x_t / like(path.alpha(PRECONDITIONED), x_t), like(path.ratio(PRECONDITIONED), x_t)


@notices("alpha", "sigma")
@PATHS
def test_what_the_network_sees(path: Path, fault: Fault) -> None:
    x_t, _ = noise_and_data()
    ours, _ = targets.EDM(SIGMA_DATA).inputs(fault.path(path), x_t, PRECONDITIONED)
    same(ours, EDMEulerScheduler(sigma_data=0.5).precondition_inputs(*unscaled(path, x_t)))


@notices("alpha", "sigma")
@PATHS
def test_what_the_network_is_told(path: Path, fault: Fault) -> None:
    x_t, _ = noise_and_data()
    _, ours = targets.EDM(SIGMA_DATA).inputs(fault.path(path), x_t, PRECONDITIONED)
    same(ours, EDMEulerScheduler(sigma_data=0.5).precondition_noise(path.ratio(PRECONDITIONED)))


@notices("alpha", "sigma")
@PATHS
def test_what_the_network_means(path: Path, fault: Fault) -> None:
    x_t, says = noise_and_data()
    x, level = unscaled(path, x_t)
    ours = fault.path(path).ends(says, x_t, PRECONDITIONED, "edm").x1
    same(ours, EDMEulerScheduler(sigma_data=0.5).precondition_outputs(x, says, level))


def made(kind: type[SchedulerMixin], steps: int) -> SchedulerMixin:
    """Its levels are float32 numbers, here held in float64."""
    scheduler = kind(sigma_max=40.0)
    scheduler.set_timesteps(steps)
    scheduler.sigmas = scheduler.sigmas.double()
    return scheduler


def times_of(scheduler: SchedulerMixin) -> Tensor:
    return 1 - scheduler.sigmas / EDM().sigma_max


@notices("alpha", "sigma", "time")
@pytest.mark.parametrize(("kind", "solver"), SAMPLERS)
@pytest.mark.parametrize("steps", [5, 18])
def test_samples(kind: type[SchedulerMixin], solver: type[Gaussian], steps: int, fault: Fault) -> None:
    scheduler, network, x = made(kind, steps), Network(), 40 * normal(*SHAPE)
    path, times = fault.path(EDM()), fault.times(times_of(scheduler))
    field = Field(network, path, targets.EDM(SIGMA_DATA), {"label": torch.zeros(SHAPE[0], dtype=torch.int64)})
    ours = solver()(field.ends, path, x, times)
    for timestep, level in zip(scheduler.timesteps, scheduler.sigmas[:-1], strict=True):
        says = network(scheduler.scale_model_input(x, timestep), scheduler.precondition_noise(level))
        x = stepped(scheduler.step, says, timestep, x)
    same(ours, x)


@notices("alpha", "sigma", "rise", "noise_scale")
@pytest.mark.parametrize("churn", [0.5, 30.0])
def test_churn(churn: float, fault: Fault) -> None:
    """One step. They take what the network said of x before it was churned, so here it says the same of any x."""
    steps, i = 10, 4
    scheduler, (x, says) = made(EDMEulerScheduler, steps), noise_and_data()
    scheduler.set_begin_index(i)
    scheduler.scale_model_input(x, scheduler.timesteps[i])
    step = partial(scheduler.step, s_churn=churn, s_noise=1.003, generator=torch.Generator().manual_seed(5))
    theirs = stepped(step, says, scheduler.timesteps[i], x)

    path, times = fault.path(EDM()), times_of(scheduler)
    rise = min(churn / steps, 2**0.5 - 1) * fault.factor("rise")
    noise = 1.003 * fault.factor("noise_scale") * normal(*SHAPE, seed=5)
    x, earlier = churned(path, x, times[i], rise, noise)
    ours = DDIM()(lambda x, t: path.ends(says, x, t, "edm"), path, x, torch.stack([earlier, times[i + 1]]))
    same(ours, theirs)
