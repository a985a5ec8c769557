"""A generator makes whatever its codec stores, under whatever its conditioner reads."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fm.codecs import Codec, Pixels, Standardised
from fm.components import Choice
from fm.conditions import Labels, Unconditional
from fm.config import Config, SamplerConfig
from fm.generator import Generator
from fm.pictures import pictures

UNET: Choice = {"name": "unet", "width": 8, "multipliers": [1], "blocks": 1, "patch_size": 1}
TRANSFORMER: Choice = {"name": "transformer", "width": 8, "blocks": 1, "heads": 1, "patch_size": 1}
WIND = Standardised(stored=(2, 4, 6), mean=(5.0, -1.0), deviation=(2.0, 0.5), scale=0.9)
DATA = {
    "vector": (Standardised(stored=(5,), mean=(3.0,)), TRANSFORMER),
    "sequence": (Standardised(stored=(2, 8)), TRANSFORMER),
    "field": (WIND, UNET),
    "image that is not square": (Pixels(stored=(4, 6, 3)), TRANSFORMER),
    "video": (Pixels(stored=(3, 4, 6, 3)), UNET),
    "volume": (Pixels(stored=(4, 4, 4, 1)), TRANSFORMER),
}
SAMPLERS = [
    SamplerConfig(solver="midpoint", steps=2),
    SamplerConfig(solver={"name": "ddim", "clip": "codec"}, steps=3, guidance=2.0),
    SamplerConfig(solver="jump", steps=2),
]


def generator_of(codec: Codec, network: Choice, target: str = "velocity", until: bool = True) -> Generator:
    torch.manual_seed(0)
    config = Config(
        path="cond_ot",
        target=target,
        network=network,
        codec=codec.choice,
        conditioner=Labels(("calm", "storm")).choice,
        until=until,
        sampler=SAMPLERS[0],
    )
    generator = Generator.untrained(config)
    for weight in generator.network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    generator.network.eval()
    return generator


@pytest.mark.parametrize("data", DATA)
def test_whatever_the_codec_stores_is_made(data: str, tmp_path: Path) -> None:
    codec, network = DATA[data]
    generator_of(codec, network).save(tmp_path)
    generator = Generator.load(tmp_path)
    assert generator.codec == codec
    for sampler in SAMPLERS:
        current = generator.with_sampler(sampler)
        made = current.sample(3, seed=5, labels=["storm", 0, None])
        assert (made.shape, made.dtype) == ((3, *codec.stored), codec.dtype)
        assert np.isfinite(made).all()
        assert np.array_equal(made[:2], current.sample(3, seed=5, labels=["storm", "calm", 2])[:2])
        assert pictures(made, codec).ndim == 4
    in_turn = generator.sample(3, seed=5, steps=1)
    assert np.array_equal(in_turn, generator.sample(3, seed=5, steps=1, labels=["calm", "storm", "calm"]))


def test_without_any_condition() -> None:
    config = generator_of(WIND, UNET).config.model_copy(update={"conditioner": Unconditional().choice})
    generator = Generator.untrained(config)
    assert generator.sample(2, seed=0).shape == (2, 2, 4, 6)
    with pytest.raises(ValueError, match="this model knows no condition"):
        generator.sample(1, seed=0, labels=["storm"])


def test_only_networks_that_are_told_where_a_step_ends_can_jump() -> None:
    generator = generator_of(WIND, UNET, until=False)
    with pytest.raises(ValueError, match="told where a step ends"):
        generator.sample(1, seed=0, solver="jump")
    with pytest.raises(ValueError, match="only a network that predicts the velocity can jump"):
        generator_of(WIND, UNET, target="data").sample(1, seed=0, solver="jump")


def test_measurements_have_no_bound_to_clip_to() -> None:
    generator = generator_of(WIND, UNET)
    clipped = generator.sample(2, seed=0, solver={"name": "ddim", "clip": "codec"})
    assert np.array_equal(clipped, generator.sample(2, seed=0, solver="ddim"))


def test_edms_target_knows_the_scale_of_the_data() -> None:
    assert "sigma_data=0.9" in repr(generator_of(WIND, UNET, target="edm").target)
