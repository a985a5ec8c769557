"""A network as a program makes what the network makes."""

import base64
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fm import exported
from fm.conditions import Text
from fm.config import Config, Native
from fm.generator import Generator
from fm.text import T5
from tests.fm.conftest import tiny_generator


def few_steps() -> Generator:
    config = Config(
        path="cond_ot",
        target="velocity",
        network={"name": "transformer", "width": 16, "blocks": 1},
        codec={"name": "pixels", "stored": [8, 8, 1]},
        conditioner={"name": "none"},
        until=True,
        sampler={"solver": "jump", "steps": 2},
    )
    return loud(Generator.untrained(config))


def on_another_path() -> Generator:
    config = tiny_generator().config.model_copy(update={"native": Native(path="ddpm", target="noise")})
    return loud(Generator.untrained(config))


def of_texts() -> Generator:
    two_tokens = base64.b64encode(np.linspace(-1, 1, 12, dtype="<f2").tobytes()).decode()
    config = Config(
        path="cond_ot",
        target="velocity",
        network={"name": "transformer", "width": 16, "blocks": 2, "joint": True, "rotary": True, "qk_norm": True},
        codec={"name": "pixels", "stored": [8, 8, 1]},
        conditioner=Text(T5("an encoder that is not here", length=4), 6, two_tokens).choice,
        sampler={"solver": "euler", "steps": 2, "guidance": 2},
    )
    return loud(Generator.untrained(config))


def loud(generator: Generator) -> Generator:
    torch.manual_seed(0)
    for weight in generator.network.parameters():
        nn.init.normal_(weight, std=0.05)
    generator.network.eval()
    return generator


@pytest.mark.parametrize("make", [tiny_generator, few_steps, on_another_path, of_texts])
def test_makes_the_same_images_in_batches_of_any_size(make, tmp_path: Path) -> None:
    generator = make()
    exported.save(generator, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "network.pt2"]
    program = exported.load(tmp_path)
    for count in (1, 5):
        expected, found = (one.sample(count, seed=1).astype(int) for one in (generator, program))
        assert np.abs(found - expected).max() <= 1
    scale = 1.0 if generator.conditioner.asks_nothing else 2.0
    guided = [one.sample(3, 0, steps=2, solver="heun", guidance=scale).astype(int) for one in (generator, program)]
    assert np.abs(guided[0] - guided[1]).max() <= 1
    assert guided[0].std() > 10


def test_a_program_without_a_second_time_is_told_none() -> None:
    program = exported.Program(nn.Identity(), until=False)
    with pytest.raises(ValueError, match="not built to be told a second time"):
        program(torch.ones(1, 1), torch.zeros(1), {}, torch.ones(1))
