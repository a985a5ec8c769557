from collections.abc import Sequence

import pytest
import torch
from torch import nn

from fm.components import Choice
from fm.config import Config, SamplerConfig
from fm.generator import Generator

TINY: Choice = {"name": "unet", "width": 8, "multipliers": [1, 2], "blocks": 1, "patch_size": 1}


def tiny_generator(
    path: Choice = "cond_ot",
    target: str = "velocity",
    label_names: Sequence[str] = tuple("0123456789"),
    seed: int = 0,
    network: Choice = TINY,
) -> Generator:
    """A small network of random weights, none of them zero, so that its images depend on everything."""
    torch.manual_seed(seed)
    config = Config(
        path=path,
        target=target,
        network=network,
        sampler=SamplerConfig(solver="ddim", steps=4),
        codec={"name": "pixels", "stored": [8, 8, 1]},
        conditioner={"name": "labels", "names": list(label_names)},
    )
    generator = Generator.untrained(config)
    for weight in generator.network.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    generator.network.eval()
    return generator


@pytest.fixture
def generator() -> Generator:
    return tiny_generator()


@pytest.fixture
def diffusion_generator() -> Generator:
    return tiny_generator("ddpm", "noise")


def few_step_generator(channels: int = 3) -> Generator:
    """A transformer of random weights, none of them 0, that is told where a step ends."""
    config = Config(
        path="cond_ot",
        target="velocity",
        network={"name": "transformer", "width": 16, "blocks": 1},
        codec={"name": "pixels", "stored": [8, 8, channels]},
        conditioner={"name": "none"},
        until=True,
        sampler={"solver": "jump", "steps": 2},
    )
    torch.manual_seed(0)
    generator = Generator.untrained(config)
    for weight in generator.network.parameters():
        nn.init.normal_(weight, std=0.1)
    return generator
