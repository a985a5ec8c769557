"""Generators of the first version make the images that they made then of the same noise (generators/README.md)."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fm.config import SamplerConfig
from fm.generator import Generator
from fm.likelihood import bits_per_dimension
from fm.noise import Draws, Purpose, stream

FOLDER = Path(__file__).with_name("generators")
MADE: dict[str, Any] = json.loads((FOLDER / "made.json").read_text())
IMAGES = np.load(FOLDER / "images.npz")
SAMPLERS = [(name, number) for name, samplers in MADE["samplers"].items() for number in range(len(samplers))]
SAME_MACHINE = (MADE["torch"], MADE["cpu"]) == (torch.__version__, torch.backends.cpu.get_cpu_capability())
"""Elsewhere matrix products may round differently."""


@pytest.fixture(autouse=True)
def numbers_of_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """They were NumPy's, from a stream for each position."""

    def normal(draws: Draws, shape: Sequence[int], purpose: Purpose, number: int = 0) -> torch.Tensor:
        drawn = [
            stream(draws.seed, position, purpose).standard_normal((number + 1, math.prod(shape)), dtype=np.float32)
            for position in draws.positions
        ]
        return torch.from_numpy(np.stack(drawn)[:, -1]).reshape(-1, *shape)

    def uniform(draws: Draws, count: int, purpose: Purpose) -> torch.Tensor:
        drawn = [stream(draws.seed, position, purpose).random(count, np.float32) for position in draws.positions]
        return torch.from_numpy(np.stack(drawn))

    monkeypatch.setattr(Draws, "normal", normal)
    monkeypatch.setattr(Draws, "uniform", uniform)


@pytest.mark.parametrize(("name", "number"), SAMPLERS)
def test_images_are_those_of_then(name: str, number: int) -> None:
    sampler = SamplerConfig.model_validate(MADE["samplers"][name][number])
    generator = Generator.load(FOLDER / name).with_sampler(sampler)
    _, nfe = generator.sample_float(6, seed=11, first_index=3)
    images = generator.sample(6, seed=11, first_index=3)
    then = IMAGES[f"{name}/{number}"]
    assert (images.shape, nfe) == (then.shape, MADE["nfe"][f"{name}/{number}"])
    if SAME_MACHINE:
        assert np.array_equal(images, then)
    assert np.abs(images.astype(int) - then.astype(int)).max() <= 1


@pytest.mark.parametrize("name", MADE["samplers"])
def test_so_are_the_likelihoods(name: str) -> None:
    generator = Generator.load(FOLDER / name)
    data = np.random.default_rng(0).integers(0, 256, (2, 8, 8, generator.shape[0]), dtype=np.uint8)
    bits = bits_per_dimension(generator, data, steps=2)
    assert bits.tolist() == pytest.approx(MADE["bits_per_dimension"][name], abs=1e-3)


@pytest.mark.parametrize("name", MADE["samplers"])
def test_they_are_saved_as_of_this_version(name: str, tmp_path: Path) -> None:
    Generator.load(FOLDER / name).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["version"] == 2
    assert config["target"] != "edm", "what its data's deviation is must be said"
    assert np.array_equal(Generator.load(tmp_path).sample(2, seed=0), Generator.load(FOLDER / name).sample(2, seed=0))
