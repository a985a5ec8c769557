"""How likely data are under the flow of a velocity field, by the instantaneous change of variables.

Along dx/dt = v(x, t), d log p(x) / dt = -div v (Chen et al. 2018, arXiv 1806.07366, theorem 1), so that
log p1(x1) = log p0(x0) - the integral of div v from noise to data.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fm.components import Choice
from fm.field import Field
from fm.generator import Generator
from fm.noise import Draws, Purpose
from fm.noise_sources import WHITE, NoiseSource
from fm.solvers.ode import Velocity, at_least_float32, solve

Divergence = Callable[[Velocity, Tensor, Tensor], tuple[Tensor, Tensor]]


class Likelihood(NamedTuple):
    """log p1(x1) in nats, (B,); the noise x0 that the flow takes to x1; the calls of the velocity.

    >>> found = log_likelihood(lambda x, t: -x, torch.zeros(2, 3), steps=10)
    >>> found.log_density.shape, found.nfe
    (torch.Size([2]), 20)
    """

    log_density: Tensor
    x0: Tensor
    nfe: int


def log_likelihood(
    velocity: Velocity,
    x1: Tensor,
    probe: Tensor | None = None,
    prior_scale: float = 1.0,
    solver: Choice = "midpoint",
    steps: int = 50,
    t0: float = 0.0,
    t1: float = 1.0,
    source: NoiseSource = WHITE,
) -> Likelihood:
    """Integrate x1 (B, ...) back from t1 to t0, where it is prior_scale times noise of the source, with the divergence
    on the way.

    Args:
        velocity: velocity(x, t) with x (B, ...) and t (B,), differentiable by x.
        probe: numbers of mean 0 and variance 1 like x1, +1 and -1 at best, for Hutchinson's unbiased estimate of the
            divergence (Grathwohl et al. 2019, arXiv 1810.01367); the exact one, a backward pass a dimension, if none.
        solver, steps: as in fm.solvers.solve.
    """
    x1 = at_least_float32(x1)
    shape = x1.shape
    divergence = exact if probe is None else hutchinson(probe.to(x1))

    def augmented(state: Tensor, t: Tensor) -> Tensor:
        v, div = divergence(velocity, state[:, :-1].reshape(shape), t)
        return torch.cat([v.flatten(1), div[:, None]], dim=1)

    start = torch.cat([x1.flatten(1), torch.zeros_like(x1.flatten(1)[:, :1])], dim=1)
    solution = solve(augmented, start, solver, steps, t1, t0)
    x0, integral = solution.x1[:, :-1], solution.x1[:, -1]
    dimensions = x0.shape[1]
    white = source.whitened(x0.reshape(shape)).flatten(1)
    log_prior = -0.5 * (white / prior_scale).square().sum(1) - dimensions * math.log(
        prior_scale * math.sqrt(2 * math.pi)
    )
    log_prior = log_prior - source.log_volume(shape[1:])
    # Integrated from t1 to t0, hence the sign.
    return Likelihood(log_prior + integral, x0.reshape(shape), solution.nfe)


def exact(velocity: Velocity, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """velocity (B, ...) and its divergence (B,), one backward pass a dimension."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        v = velocity(x, t)
        flat = v.flatten(1)
        divergence = torch.zeros_like(flat[:, 0])
        for i in range(flat.shape[1]):
            (gradient,) = torch.autograd.grad(flat[:, i].sum(), x, retain_graph=True)
            divergence += gradient.flatten(1)[:, i]
    return v.detach(), divergence


def hutchinson(probe: Tensor) -> Divergence:
    """probe . (dv/dx) probe, whose mean is the divergence, by one backward pass."""

    def divergence(velocity: Velocity, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            v = velocity(x, t)
            (gradient,) = torch.autograd.grad((v * probe).sum(), x)
        return v.detach(), (gradient * probe).flatten(1).sum(1)

    return divergence


LEVELS = 256
WIDTH = 2 / (LEVELS - 1)
"""Of a grey level, where they lie from -1 to 1."""


def bits_per_dimension(
    generator: Generator,
    data: NDArray[np.uint8],
    labels: Sequence[Any] | None = None,
    seed: int = 0,
    steps: int = 50,
    solver: Choice = "midpoint",
    exact: bool = False,
) -> Tensor:
    """How many bits a pixel's channel of each datum costs under the generator's own, unguided flow, float32 (B,).

    The grey levels are dequantised uniformly, so this bounds the code length of the datum itself from above
    (Theis et al. 2016, arXiv 1511.01844, section 3.1).

    Args:
        data: uint8 (B, *stored).
        labels: what the generator's conditioner reads, one for each; "no condition" by default.
        seed: of the dequantisation and of Hutchinson's probe.
        steps, solver: of the integration (fm.solvers.solve).
        exact: the exact divergence instead of Hutchinson's estimate; a backward pass a pixel.

    Raises:
        ValueError: the generator's data have no grey levels.
    """
    if generator.codec.dtype != "uint8":
        raise ValueError(f"data of {generator.codec.dtype} have no grey levels; log_likelihood tells their density")
    if generator.codec.bound is None:
        raise ValueError(f"{generator.codec.name} have no grey levels; log_likelihood tells their density")
    asked = [None] * len(data) if labels is None else labels
    path, device = generator.path, generator.device
    x1 = generator.codec.encode(data).to(device)
    draws = Draws(seed, range(len(data))).to(device)

    def uniform(purpose: Purpose) -> Tensor:
        return draws.uniform(x1[0].numel(), purpose).reshape(x1.shape)

    shift = uniform(Purpose.DEQUANTISATION) - 0.5
    signs = torch.where(uniform(Purpose.DIVERGENCE) < 0.5, -1.0, 1.0)
    start, end = path.interval
    found = log_likelihood(
        Field(generator.network, path, generator.target, generator.condition(asked)).velocity,
        x1 + shift * WIDTH,
        None if exact else signs,
        path.prior_scale,
        solver,
        steps,
        start,
        end,
        generator.source,
    )
    return in_bits(found.log_density, x1[0].numel()).cpu()


def in_bits(log_density: Tensor, dimensions: int) -> Tensor:
    """Bits per dimension (B,) of data with LEVELS grey levels, from the density of [-1, 1], which is turned into one
    for a level."""
    return -log_density / (dimensions * math.log(2)) - math.log2(WIDTH)
