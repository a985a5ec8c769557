"""Held against diffusers 0.42.1: its samplers of the chain of 1000 steps, which is our path DDPM.

Their index runs down where our t runs up, see tests.parity.schedulers. Their epsilon and sample are our noise and
data, and their v_prediction is our v. Nothing is clipped unless a test says so. Heun's method they apply to x / alpha,
as we do inside.
"""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    HeunDiscreteScheduler,
    SchedulerMixin,
    UniPCMultistepScheduler,
)
from torch import Tensor

from fm.grids import EDM
from fm.paths import DDPM, Path, Quantity
from fm.solvers import gaussian
from fm.solvers.gaussian import DDIM, DPMSolver, Gaussian, Predict
from fm.solvers.unipc import UniPC
from tests.parity.agreement import SHAPE, Fault, Network, normal, notices, same
from tests.parity.schedulers import LEVELS, LINEAR, in_float64, stepped, time_at, times_of

PREDICTIONS = pytest.mark.parametrize(
    ("prediction", "source"), [("epsilon", "noise"), ("sample", "data"), ("v_prediction", "v")]
)
OUT_OF_RANGE = pytest.mark.parametrize(("prediction", "source"), [("epsilon", "noise"), ("v_prediction", "v")])
SPACINGS = pytest.mark.parametrize(("spacing", "steps"), [("leading", 10), ("trailing", 10), ("leading", 50)])
START = normal(*SHAPE, seed=2)


def made(kind: type[SchedulerMixin], steps: int, **options: object) -> SchedulerMixin:
    scheduler = kind(**LINEAR, **options)
    scheduler.set_timesteps(steps)
    return in_float64(scheduler)


def noises() -> Callable[[], Tensor]:
    """A source of noise that says the same every time it is made."""
    return partial(torch.randn, SHAPE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def predict(path: Path, source: Quantity) -> Predict:
    """What the network says of the two ends."""
    network = Network()
    return lambda x, t: path.ends(network(x, t), x, t, source)


def sampled(
    scheduler: SchedulerMixin,
    x: Tensor = START,
    step: Callable[..., object] | None = None,
    times: Tensor | None = None,
) -> Tensor:
    """Their loop, as their pipelines have it. The network hears our times, those of their indices unless told."""
    network = Network()
    times = time_at(scheduler.timesteps) if times is None else times
    for k, t in zip(scheduler.timesteps, times, strict=True):
        says = network(scheduler.scale_model_input(x, k), t)
        x = stepped(step or scheduler.step, says, k, x)
    return x


@notices("alpha", "sigma", "time")
@SPACINGS
@PREDICTIONS
def test_ddim(prediction: str, source: Quantity, spacing: str, steps: int, fault: Fault) -> None:
    scheduler = made(DDIMScheduler, steps, prediction_type=prediction, timestep_spacing=spacing, clip_sample=False)
    path = fault.path(DDPM())
    ours = DDIM()(predict(path, source), path, START, fault.times(times_of(scheduler)))
    same(ours, sampled(scheduler))


@notices("alpha", "sigma", "time", "eta")
@SPACINGS
@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_ddim_with_noise(eta: float, spacing: str, steps: int, fault: Fault) -> None:
    scheduler = made(DDIMScheduler, steps, timestep_spacing=spacing, clip_sample=False)
    path, times, fresh = fault.path(DDPM()), fault.times(times_of(scheduler)), noises()
    ours = DDIM(eta=eta / fault.factor("eta"))(predict(path, "noise"), path, START, times, noises())
    theirs = sampled(scheduler, step=lambda *told: scheduler.step(*told, eta=eta, variance_noise=fresh()))
    same(ours, theirs)


@notices("alpha", "sigma", "time")
@pytest.mark.parametrize("steps", [20, 250])
@PREDICTIONS
def test_ancestral_sampling(prediction: str, source: Quantity, steps: int, fault: Fault) -> None:
    scheduler = made(DDPMScheduler, steps, prediction_type=prediction, variance_type="fixed_small", clip_sample=False)
    path = fault.path(DDPM())
    ours = gaussian.DDPM()(predict(path, source), path, START, fault.times(times_of(scheduler)), noises())
    same(ours, sampled(scheduler, step=partial(scheduler.step, generator=torch.Generator().manual_seed(5))))


@notices("alpha", "sigma", "time", "clip")
@pytest.mark.parametrize("clip", [0.5, 1.0])
@OUT_OF_RANGE
def test_ddim_with_clipped_data(prediction: str, source: Quantity, clip: float, fault: Fault) -> None:
    bounds = {"clip_sample": True, "clip_sample_range": clip}
    scheduler = made(DDIMScheduler, 10, prediction_type=prediction, timestep_spacing="trailing", **bounds)
    path, times = fault.path(DDPM()), fault.times(times_of(scheduler))
    ours = DDIM(clip=clip * fault.factor("clip"))(predict(path, source), path, START, times)
    theirs = sampled(scheduler, step=lambda *told: scheduler.step(*told, use_clipped_model_output=True))
    same(ours, theirs)


@notices("alpha", "sigma", "time", "clip")
@OUT_OF_RANGE
def test_ancestral_sampling_with_clipped_data(prediction: str, source: Quantity, fault: Fault) -> None:
    options = {"variance_type": "fixed_small", "clip_sample": True}
    scheduler = made(DDPMScheduler, 20, prediction_type=prediction, **options)
    path = fault.path(DDPM())
    times, clip = fault.times(times_of(scheduler)), 1.0 * fault.factor("clip")
    ours = gaussian.DDPM(clip=clip)(predict(path, source), path, START, times, noises())
    same(ours, sampled(scheduler, step=partial(scheduler.step, generator=torch.Generator().manual_seed(5))))


@notices("alpha", "sigma", "time")
@pytest.mark.parametrize("steps", [2, 5, 14, 15, 40])
@PREDICTIONS
def test_dpm_solver_2m(prediction: str, source: Quantity, steps: int, fault: Fault) -> None:
    # From 15 steps on theirs would end in order 2, were the step to sigma = 0 not infinitely long.
    scheduler = made(DPMSolverMultistepScheduler, steps, prediction_type=prediction)
    path = fault.path(DDPM())
    ours = DPMSolver()(predict(path, source), path, START, fault.times(times_of(scheduler)))
    same(ours, sampled(scheduler))


@notices("alpha", "sigma", "time")
@pytest.mark.parametrize(("order", "steps"), [(1, 5), (2, 2), (2, 5), (2, 10), (3, 10), (3, 40)])
@PREDICTIONS
def test_unipc(prediction: str, source: Quantity, order: int, steps: int, fault: Fault) -> None:
    scheduler = made(UniPCMultistepScheduler, steps, prediction_type=prediction, solver_order=order)
    path = fault.path(DDPM())
    ours = UniPC(order=order)(predict(path, source), path, START, fault.times(times_of(scheduler)))
    same(ours, sampled(scheduler))


def at_karras_levels(steps: int) -> DPMSolverMultistepScheduler:
    """From the chain's highest level to its lowest; the levels are float32 numbers, here held in float64."""
    scheduler = DPMSolverMultistepScheduler(**LINEAR, use_karras_sigmas=True)
    scheduler.set_timesteps(steps)
    scheduler.sigmas = scheduler.sigmas.double()
    return scheduler


@notices("ratio_min", "ratio_max", "rho")
@pytest.mark.parametrize("steps", [3, 25])
def test_karras_levels(steps: int, fault: Fault) -> None:
    grid = EDM(
        rho=7 * fault.factor("rho"),
        ratio_min=float(LEVELS[0]) * fault.factor("ratio_min"),
        ratio_max=float(LEVELS[-1]) / fault.factor("ratio_max"),
    )
    ours, theirs = DDPM().ratio(grid(DDPM(), steps, 0.0, 1.0)), at_karras_levels(steps).sigmas
    assert ours[-1] == theirs[-1] == 0
    # Their extreme levels come of alpha-bar in float32.
    same(ours[:-1].log(), theirs[:-1].log(), 1e-4)


@notices("alpha", "sigma", "time")
@pytest.mark.parametrize("steps", [3, 25])
def test_dpm_solver_2m_at_karras_levels(steps: int, fault: Fault) -> None:
    # Their network hears the nearest index; here it hears the time of the very level.
    scheduler = at_karras_levels(steps)
    times, path = DDPM().time_of(scheduler.sigmas), fault.path(DDPM())
    ours = DPMSolver()(predict(path, "noise"), path, START, fault.times(times))
    same(ours, sampled(scheduler, times=times[:-1]))


@notices("alpha", "sigma", "time")
@pytest.mark.parametrize("steps", [10, 28])
@PREDICTIONS
def test_heun_in_the_noise_level(prediction: str, source: Quantity, steps: int, fault: Fault) -> None:
    # 9 and 27 divide 999, so that their evenly spaced indices are whole.
    scheduler = made(HeunDiscreteScheduler, steps, prediction_type=prediction)
    path, times = fault.path(DDPM()), times_of(scheduler)
    ours = gaussian.EDM()(predict(path, source), path, START, fault.times(times))
    same(ours, sampled(scheduler, x=START / DDPM().alpha(times[0])))


@notices("alpha", "sigma", "time")
@pytest.mark.parametrize(
    ("scheduler", "solver"),
    [
        pytest.param(DDIMScheduler(**LINEAR, prediction_type="v_prediction", clip_sample=False), DDIM, id="ddim"),
        pytest.param(DPMSolverMultistepScheduler(**LINEAR, prediction_type="v_prediction"), DPMSolver, id="dpmpp_2m"),
        pytest.param(UniPCMultistepScheduler(**LINEAR, prediction_type="v_prediction"), UniPC, id="unipc"),
    ],
)
def test_as_they_come(scheduler: SchedulerMixin, solver: type[Gaussian], fault: Fault) -> None:
    """With their tables, and x within a step, in float32."""
    path, network, x = fault.path(DDPM()), Network(), START
    scheduler.set_timesteps(10)
    ours = solver()(predict(path, "v"), path, x, fault.times(times_of(scheduler)))
    for k in scheduler.timesteps:
        x = scheduler.step(network(x, time_at(k)), k, x).prev_sample
    same(ours, x, 1e-5)
