"""The way from noise to data: how soon few steps come close to many, how straight it is, and what a change of path does
to it."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fm.change_of_path import matching_time, scale
from fm.config import SamplerConfig
from fm.field import Field
from fm.generator import Generator
from fm.noise import Draws, Purpose
from fm.paths import CondOT, Path
from fm.sampling import times_of
from fm.solvers import solve
from fm.solvers.gaussian import DDIM
from fm.trajectories import straightness, trajectory
from pipelines.schemas.probes import ChangeOfPath, Convergence

PIXELS = 12
STEPS = (2, 5, 10, 20, 50, 100)
STRAIGHT = SamplerConfig(solver="euler", steps=100, path="cond_ot")


def convergence(generator: Generator, seed: int, count: int, many: int) -> list[Convergence]:
    """`count` images of each number of STEPS against those of `many` more from the same noise, by the generator's own
    deterministic sampler.

    That is DDIM, which on the straight path is Euler's method.
    """
    fine, _ = generator.adjusted(steps=many).sample_float(count, seed)
    found = []
    for steps in (few for few in STEPS if few < many):
        x, _ = generator.adjusted(steps=steps).sample_float(count, seed)
        distances = (x - fine).flatten(1).square().mean(dim=1).sqrt()
        found.append(Convergence(steps=steps, distances=distances.tolist()))
    return found


@torch.no_grad()
def straightness_of(generator: Generator, seed: int, count: int) -> list[float]:
    """Of each trajectory along the straight path, whatever path the model was trained on: fit to be compared."""
    along = generator.with_sampler(STRAIGHT)
    x0, asked = start(generator, seed, count)
    field = along.field(asked)
    return straightness(field.velocity, x0, times_of(STRAIGHT, field.along)).tolist()


def pixels_of(generator: Generator, seed: int) -> list[list[float]]:
    """The values of PIXELS pixels, spread over one image, at every hundredth of the straight path."""
    along = generator.with_sampler(STRAIGHT)
    x0, asked = start(generator, seed, 1)
    field = along.field(asked)
    corners = trajectory(field.velocity, x0, times_of(STRAIGHT, field.along)).flatten(1)
    chosen = torch.linspace(0, corners.shape[1] - 1, PIXELS + 2).long()[1:-1]
    return corners[:, chosen].T.tolist()


@torch.no_grad()
def change_of_path(method: str, generator: Generator, seed: int, count: int) -> ChangeOfPath:
    """DDIM on the model's own path, and Euler's method at the matching times of the straight one, both in float64, for
    `count` images."""
    own, straight = generator.path, CondOT()
    sampler = generator.config.sampler.model_copy(update={"solver": "ddim", "path": None})
    times = times_of(sampler, own)
    x0, asked = start(generator, seed, count)
    network = copy.deepcopy(generator.network).double()
    x = float(own.sigma(times[0])) * x0.double()

    def field(along: Path) -> Field:
        return Field(network, own, generator.target, generator.condition(asked), along=along)

    expected = DDIM()(field(own).ends, own, x, times)
    there = matching_time(own, straight, times)
    factor = scale(own, straight, times, there)
    found = solve(field(straight).velocity, x * float(factor[0]), "euler", times=there).x1 / float(factor[-1])
    differences = (found - expected).abs().flatten(1).amax(dim=1)
    return ChangeOfPath(method=method, steps=sampler.steps, differences=differences.tolist())


def start(generator: Generator, seed: int, count: int) -> tuple[Tensor, Sequence[Any]]:
    """Noise (count, C, *spatial) on the generator's device, and all that can be asked for in turn."""
    draws = Draws(seed, range(count)).to(generator.device)
    return generator.source.shaped(draws.normal(generator.shape, Purpose.SAMPLE)), generator.conditioner.in_turn(count)
