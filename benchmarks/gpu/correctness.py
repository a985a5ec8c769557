"""A device against the CPU: every path, objective, network and solver, averaged weights, random numbers, pictures."""

from collections.abc import Iterator
from dataclasses import MISSING
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu.agreement import Place, attempted, compared, same_bits
from benchmarks.gpu.made_up import NAMES, batch_of, copied, generator_of, network_of
from benchmarks.gpu.rows import Check, Row
from benchmarks.gpu.sizes import Sizes
from fm.components import Choice, known, options_of
from fm.config import SamplerConfig
from fm.field import Field
from fm.guidance import Guidance
from fm.noise import Draws, Purpose
from fm.objectives import Objective
from fm.paths import Path
from fm.sampling import draw
from fm.targets import Target
from fm.training.ema import Average

SHAPE = (3, 8, 8)
NETWORKS: dict[str, dict[str, Any]] = {
    "UNet": {"name": "unet", "width": 16, "blocks": 1, "attention": [4]},
    "transformer": {"name": "transformer", "width": 32, "blocks": 2},
}
BATCH = 8
STEPS = 4
TWO_TIMES = {"path": "cond_ot", "coupling": "independent", "timesteps": "uniform"}
PARTS = TWO_TIMES | {"target": "velocity", "weight": "flat"}
BASE: dict[str, Any] = {"name": "regression", **PARTS}


def rows(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    exact()
    yield from attempted("random numbers", partial(random_numbers, device))
    yield from paths(device)
    yield from networks(device)
    yield from objectives(device)
    yield from solvers(device)
    yield from attempted("averaged weights", partial(averaged, device))
    yield from attempted("pictures", partial(pictures, device))


def exact() -> None:
    """float32 is meant to be float32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def by_default(kind: str) -> list[str]:
    """The components of a kind that need no option to be given."""
    return [
        name
        for name, each in known(kind).items()
        if all(one.default is not MISSING for one in options_of(each).values())
    ]


# Random numbers.


def random_numbers(device: torch.device) -> Iterator[Row]:
    """The same to the rounding of a float32 logarithm, uniform ones to the bit."""
    here = Draws(seed=3, positions=range(1000, 1064))
    there = here.to(device)
    for purpose in (Purpose.NOISE, Purpose.SAMPLE):
        ours, theirs = here.normal(SHAPE, purpose), there.normal(SHAPE, purpose)
        yield Check(f"normal numbers, {purpose.name.lower()}", float((ours - theirs.cpu()).abs().max()), 4e-6)
    ours, theirs = (
        {"uniform": draws.uniform(3, Purpose.TIME), "stratified": draws.stratified(Purpose.TIME)}
        for draws in (here, there)
    )
    yield same_bits("uniform numbers", ours, theirs)


# Paths.


def paths(device: torch.device) -> Iterator[Row]:
    for name in by_default("path"):
        yield compared(f"path {name}", partial(on_path, Path.of(name)), device)


def on_path(path: Path, place: Place) -> list[Tensor]:
    """Where it is, its velocity, and what that says about data and noise."""
    first, last = path.interval
    t = torch.linspace(first + 0.05, last - 0.05, BATCH, dtype=torch.float64).to(place.device, place.dtype)
    x0, x1 = (one.to(place.device, place.dtype) for one in ends())
    point = path.sample(x0, x1, t)
    return [point.x_t, point.velocity, *path.ends(point.velocity, point.x_t, t, "velocity")]


def ends() -> tuple[Tensor, Tensor]:
    """Noise and data, float32: whoever computes in more starts from the same."""
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(BATCH, *SHAPE, generator=random)
    return noise, torch.rand(BATCH, *SHAPE, generator=random) * 2 - 1


# Networks and objectives.


def networks(device: torch.device) -> Iterator[Row]:
    for what, options in NETWORKS.items():
        network = network_of(SHAPE, options)
        for dtype in (torch.float32, torch.bfloat16):
            yield compared(f"{what}, output", partial(output, network), device, dtype)
            yield compared(f"{what}, loss and gradients", partial(gradients, BASE, network), device, dtype)


def output(network: nn.Module, place: Place) -> list[Tensor]:
    x = ends()[0].to(place.device, place.stored)
    t = torch.linspace(0, 1, BATCH).to(x)
    label = torch.arange(BATCH, device=place.device)
    with torch.no_grad():
        return [copied(network, place.device, place.stored)(x, t, {"label": label})]


def gradients(choice: Choice, network: nn.Module, place: Place) -> list[Tensor]:
    """The loss of an objective, and the gradient of every weight."""
    objective = Objective.of(choice)
    trained = copied(network, place.device, place.stored).train()
    loss = objective.loss(trained, batch_of(SHAPE, BATCH, place.device, place.stored), trained)
    loss.backward()
    slopes = [weight.grad.flatten() for weight in trained.parameters() if weight.grad is not None]
    return [loss, torch.cat(slopes)]


def objectives(device: torch.device) -> Iterator[Row]:
    network = network_of(SHAPE, NETWORKS["UNet"])
    for what, choice in choices():
        yield compared(f"objective, {what}", partial(gradients, choice, network), device)
    for what, options in NETWORKS.items():
        network = network_of(SHAPE, options, until=True)
        for derivative in ("difference", "forward"):
            choice = {"name": "mean_flow", "derivative": derivative, **TWO_TIMES}
            yield compared(f"MeanFlow, {derivative}, {what}", partial(gradients, choice, network), device)


def choices() -> Iterator[tuple[str, Choice]]:
    """Each part of a regression in the place of flow matching's own; the common diffusions; other objectives."""
    for part in PARTS:
        for name in by_default(part):
            yield f"{part} {name}", BASE | scaled(part, name)
    yield "DDPM", BASE | {"path": "ddpm", "timesteps": "discrete", "target": "noise"}
    edm = {"path": "edm", "timesteps": "edm"} | scaled("target", "edm") | scaled("weight", "edm")
    yield "EDM", BASE | edm
    for name in by_default("objective"):
        yield name, name


def scaled(part: str, name: str) -> dict[str, Choice]:
    """With the data's standard deviation, where it must be known."""
    return {part: {"name": "edm", "sigma_data": 0.5} if name == "edm" and part in ("target", "weight") else name}


# Sampling.


def solvers(device: torch.device) -> Iterator[Row]:
    for name in by_default("solver"):
        network = network_of(SHAPE, NETWORKS["UNet"], until=name == "jump")
        yield compared(f"solver {name}", partial(drawn, name, network, Guidance()), device)
    network = network_of(SHAPE, NETWORKS["transformer"])
    job = partial(drawn, "midpoint", network, Guidance(scale=2.0, interval=(0.2, 0.8)))
    for dtype in (torch.float32, torch.bfloat16):
        yield compared("solver midpoint, transformer, guided", job, device, dtype)


def drawn(solver: str, network: nn.Module, guidance: Guidance, place: Place) -> list[Tensor]:
    label = torch.arange(BATCH, device=place.device)
    field = Field(
        copied(network, place.device, place.stored).eval(),
        Path.of("cond_ot"),
        Target.of("velocity"),
        {"label": label},
        {"label": torch.full_like(label, len(NAMES))},
        guidance,
        along=Path.of("edm" if solver == "edm" else "cond_ot"),
    )
    sampler = SamplerConfig(solver=solver, steps=STEPS, grid="edm" if solver == "edm" else "uniform")
    random = torch.Generator().manual_seed(1)
    start = ends()[0].to(place.device, place.stored)

    def fresh() -> Tensor:
        return torch.randn(BATCH, *SHAPE, generator=random).to(start)

    with torch.no_grad():
        return [draw(field, start, sampler, fresh, bound=1.0)]


# What comes of it.


def averaged(device: torch.device) -> Iterator[Row]:
    """The average is where the network is, and the same."""

    def after_three_updates(place: Place) -> list[Tensor]:
        network = copied(network_of(SHAPE, NETWORKS["UNet"]), place.device, place.stored)
        average = Average(network, 0.999)
        for _ in range(3):
            with torch.no_grad():
                for weight in network.parameters():
                    weight.mul_(0.9)
            average.update(network)
        where = {weight.device.type for weight in average.network.parameters()}
        assert where == {place.device.type}, f"the averaged weights are on {where}"
        return list(average.network.parameters())

    yield compared("averaged weights", after_three_updates, device)


def pictures(device: torch.device) -> Iterator[Row]:
    """Whole samplings: at most one grey level of difference on nearly all pixels, and noise that does not depend on
    the batch."""
    sampler = SamplerConfig(solver="midpoint", steps=STEPS)
    generator = generator_of(SHAPE, NETWORKS["UNet"], sampler)
    by_cpu = generator.sample(32, seed=1).astype(int)
    generator.to(device)
    whole = generator.sample(32, seed=1).astype(int)
    in_parts = np.concatenate([generator.sample(16, seed=1, first_index=first).astype(int) for first in (0, 16)])
    yield Check("share of pixels more than one level from the CPU's", share_beyond_a_level(whole, by_cpu), 1e-3)
    yield Check("share of pixels more than one level from small batches'", share_beyond_a_level(whole, in_parts), 1e-3)


def share_beyond_a_level(ours: Any, theirs: Any) -> float:
    return float((np.abs(ours - theirs) > 1).mean())
