"""A sampler that is written down makes what it makes."""

import doctest
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fm.config import SamplerConfig
from fm.errors import UserError
from fm.generator import Generator
from pipelines.export import table as tables
from pipelines.export.portable import walk as walking
from pipelines.export.portable.walk import walk
from pipelines.export.table import NEAR, network_of, noise_of, require_same, table_of
from tests.fm.conftest import few_step_generator, tiny_generator

COUNT = 3
SAMPLERS: list[dict[str, Any]] = [
    {"solver": "euler", "steps": 4},
    {"solver": "ddim", "steps": 4, "guidance": 2.0},
    {"solver": "midpoint", "steps": 3, "guidance": 2.0, "guidance_interval": (0.2, 0.6)},
    {"solver": "heun", "steps": 2, "grid": "shifted"},
    {"solver": "rk4", "steps": 2},
    {"solver": "dpmpp_2m", "steps": 6, "grid": "edm"},
    {"solver": {"name": "dpmpp_2m", "clip": "codec"}, "steps": 4},
    {"solver": {"name": "ddim", "clip": 0.3}, "steps": 4},
    {"solver": {"name": "ddpm", "clip": "codec"}, "steps": 4},
    {"solver": {"name": "edm", "churn": 40}, "grid": "edm", "steps": 4},
    {"solver": "euler", "steps": 3, "path": "cosine"},
]


def drawn_by(table: dict[str, Any], generator: Generator) -> Tensor:
    """Through JSON, as it travels."""
    asked = generator.conditioner.in_turn(COUNT)
    with torch.no_grad():
        made = walk(json.loads(json.dumps(table)), noise_of(generator, COUNT), network_of(generator, asked))
    assert isinstance(made, Tensor)
    return made


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: SamplerConfig(**sampler).label)
@pytest.mark.parametrize(("path", "target"), [("cond_ot", "velocity"), ("ddpm", "noise"), ("edm", "edm")])
def test_makes_what_the_sampler_makes(path: str, target: str, sampler: dict[str, Any]) -> None:
    generator = tiny_generator(path, target).with_sampler(SamplerConfig(**sampler))
    expected, calls = generator.sample_float(COUNT, seed=0)
    table = table_of(generator)
    assert sum("t" in row for row in table["rows"]) == calls
    # In proportion to the data: EDM's path begins with noise 80 times as wide.
    assert float((drawn_by(table, generator) - expected).abs().max()) < 1e-4 * max(float(expected.abs().max()), 1)


def test_euler_by_hand() -> None:
    generator = tiny_generator().adjusted(steps=2, solver="euler")
    assert table_of(generator) == {
        "solver": "euler",
        "steps": 2,
        "rows": [{}, {"mix": [[0, 1.0]], "t": 0.0}, {"mix": [[0, 1.0], [1, 0.5]], "t": 0.5}],
        "data": [[0, 1.0], [1, 0.5], [2, 0.5]],
    }


def weights(table: dict[str, Any]) -> Iterator[list[float]]:
    for row in table["rows"]:
        yield from row.get("mix", [])
    yield from table["data"]


def test_every_weight_matters() -> None:
    """A hundredth more of any of them is found out."""
    generator = tiny_generator().adjusted(steps=2, solver="midpoint")
    generator.network = Loud(generator.network)
    table = table_of(generator)
    for weight in weights(table):
        weight[1] *= 1.01
        with pytest.raises(UserError, match="midpoint"):
            require_same(generator, table)
        weight[1] /= 1.01
    require_same(generator, table)


class Loud(nn.Module):
    """A network whose answers are as large as a trained one's."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, *others: Any, **more: Any) -> Tensor:
        said: Tensor = self.network(x, *others, **more)
        return x + 10 * said


def test_a_network_that_is_told_where_a_step_ends() -> None:
    generator = few_step_generator()
    table = table_of(generator)
    assert [(row["t"], row["until"]) for row in table["rows"][1:]] == [(0.0, 0.5), (0.5, 1.0)]
    expected, _ = generator.sample_float(COUNT, seed=0)
    assert float((drawn_by(table, generator) - expected).abs().max()) < NEAR


def test_a_sampler_that_chooses_its_steps_cannot_be_written_down() -> None:
    with pytest.raises(UserError, match="dopri5 chooses its steps as it goes and cannot be exported"):
        table_of(tiny_generator().adjusted(solver="dopri5"))


def test_what_would_be_too_long_is_refused() -> None:
    with pytest.raises(UserError, match="fewer --steps"):
        table_of(tiny_generator().adjusted(steps=2000, solver="euler"))


@pytest.mark.parametrize("module", [tables, walking])
def test_examples_run(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0
