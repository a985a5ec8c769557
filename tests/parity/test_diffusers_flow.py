"""Held against diffusers 0.42.1: its Euler, UniPC and flow-map steps of flow matching, the shifted grid, and guidance.

Their sigma is our 1 - t and their model says x0 - x1, minus our velocity. They list the steps' starts and add the end
themselves. With shift, the default list shifts its least sigma twice, so the times are compared as their pipelines
ask for them, from 1 to 1 / steps.
"""

import math
from functools import partial

import pytest
import torch
from diffusers import FlowMapEulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from diffusers.guiders import ClassifierFreeGuidance
from torch import Tensor

from fm.conditions import Condition
from fm.field import Field
from fm.grids import Shifted
from fm.guidance import Guidance, guided
from fm.paths import CondOT, Ends
from fm.solvers import Solver, solve
from fm.solvers.unipc import UniPC
from fm.targets import Velocity
from fm.timesteps import shifted
from tests.parity.agreement import COEFFICIENTS, SHAPE, Fault, Network, noise_and_data, normal, notices, same
from tests.parity.schedulers import stepped


def evenly(steps: int) -> list[float]:
    """The sigmas that their pipelines of Flux and Stable Diffusion 3 ask for."""
    return torch.linspace(1, 1 / steps, steps, dtype=torch.float64).tolist()


@notices(*COEFFICIENTS, "time")
@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [4, 28])
def test_euler(shift: float, steps: int, fault: Fault) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(steps)
    scheduler.sigmas = scheduler.sigmas.double()
    network, path, x = Network(), fault.path(CondOT()), normal(*SHAPE)

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        return path.convert(network(x, t), x, t, source="data", target="velocity")

    ours = solve(velocity, x, "euler", times=fault.times(1 - scheduler.sigmas)).x1
    for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas[:-1], strict=True):
        x = stepped(scheduler.step, (x - network(x, 1 - sigma)) / sigma, timestep, x)
    same(ours, x)


@notices(*COEFFICIENTS, "time")
@pytest.mark.parametrize(("order", "shift"), [(2, 1.0), (2, 3.0), (3, 3.0)])
@pytest.mark.parametrize("steps", [5, 10])
def test_unipc(order: int, shift: float, steps: int, fault: Fault) -> None:
    """They start at a sigma of 1 - 1e-6, since at 1 lambda is infinite, and so do we here."""
    kind = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": shift}
    scheduler = UniPCMultistepScheduler(**kind, solver_order=order)
    scheduler.set_timesteps(steps)
    scheduler.sigmas = scheduler.sigmas.double()
    network, path, x = Network(), fault.path(CondOT()), normal(*SHAPE)

    def ends(x: Tensor, t: Tensor) -> Ends:
        return path.ends(network(x, t), x, t, "velocity")

    ours = UniPC(order=order)(ends, path, x, fault.times(1 - scheduler.sigmas))
    for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas[:-1], strict=True):
        x = stepped(scheduler.step, -network(x, 1 - sigma), timestep, x)
    same(ours, x, 1e-8)  # 1e-6 is divided by at the first step


class TwoTimes(Network):
    """Says a velocity that depends on where the step ends."""

    def forward(self, x: Tensor, t: Tensor, condition: Condition | None = None, until: Tensor | None = None) -> Tensor:
        return super().forward(x, t if until is None else t - 3 * until, condition)


@notices("time")
@pytest.mark.parametrize("shift", [0.5, 3.0])
@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_jumps(shift: float, steps: int, fault: Fault) -> None:
    """A flow map by its mean velocity, on a grid that is not even: they step from timestep to r_timestep."""
    scheduler = FlowMapEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(steps)
    network, x = TwoTimes(), normal(*SHAPE)
    times = fault.times(Shifted(shift)(CondOT(), steps, 0.0, 1.0))
    field = Field(network, CondOT(), Velocity())
    ours = Solver.of("jump").draw(field, x, times, lambda: x)
    for timestep, sigma, later in zip(scheduler.timesteps, scheduler.sigmas[:-1], scheduler.sigmas[1:], strict=True):
        x = stepped(scheduler.step, -network(x, 1 - sigma, until=1 - later), timestep, x, 1000 * later)
    same(ours, x)
    assert field.nfe == steps


@notices("shift")
@pytest.mark.parametrize("shift", [0.5, 3.0])
@pytest.mark.parametrize("steps", [2, 28])
def test_shifted_times(shift: float, steps: int, fault: Fault) -> None:
    fixed = FlowMatchEulerDiscreteScheduler(shift=shift)
    fixed.set_timesteps(sigmas=evenly(steps))
    dynamic = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    dynamic.set_timesteps(sigmas=evenly(steps), mu=math.log(shift))
    ours = Shifted(shift * fault.factor("shift"))(CondOT(), steps, 0.0, 1.0)
    # They keep sigmas in float32.
    same(ours, 1 - fixed.sigmas.double(), 1e-6)
    same(ours, 1 - dynamic.sigmas.double(), 1e-6)


@notices("shift")
def test_shifted_times_of_their_default_list(fault: Fault) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(10)
    once = 1 - shifted(torch.tensor(0.999, dtype=torch.float64), 3.0)
    same(scheduler.sigma_min, once, 1e-6)
    starts = torch.linspace(0, 1 - float(once), 10, dtype=torch.float64)
    same(shifted(starts, 3.0 * fault.factor("shift")), 1 - scheduler.sigmas[:-1].double(), 1e-6)


def under_label(network: Network, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
    return network(x, t, {"label": labels})


@notices("scale")
@pytest.mark.parametrize("original", [False, True], ids=["as_ours", "of_the_paper"])
def test_guidance(original: bool, fault: Fault) -> None:
    """On from step 2 to 7 of 10. Without any, the paper's scale is 0 and ours 1."""
    x, _ = noise_and_data()
    network, labels, none = Network(), torch.arange(1, 1 + SHAPE[0]), torch.zeros(SHAPE[0], dtype=torch.int64)
    guider = ClassifierFreeGuidance(2.5 - original, use_original_formulation=original, start=0.2, stop=0.8)
    guidance = Guidance(2.5 * fault.factor("scale"), interval=(0.15, 0.75))
    ours, theirs = [], []
    for step in range(10):
        t = torch.full((SHAPE[0],), step / 10, dtype=torch.float64)
        predict = partial(under_label, network, x, t)
        strong = predict(labels)
        ours.append(guided(predict(none), strong, guidance.scales(t)) if guidance.acts_at(t) else strong)
        guider.set_state(step, 10, None)
        theirs.append(guider.forward(predict(labels), predict(none)).pred)
    same(torch.stack(ours), torch.stack(theirs))
