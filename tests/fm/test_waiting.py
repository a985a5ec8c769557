"""Sampling never asks the device for a number before it ends: on a GPU each such question would wait for all that the
network still has to compute.

Meta tensors have no numbers: whoever asks for one fails. So what runs on them, asks for none.
"""

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from fm.components import Choice
from fm.conditions import Condition
from fm.config import SamplerConfig
from fm.generator import Generator
from fm.paths import like
from fm.sampling import draw
from tests.fm.conftest import tiny_generator

META = torch.device("meta")
SOLVERS: list[Choice] = [
    "euler",
    "midpoint",
    "heun",
    "rk4",
    "ddim",
    {"name": "ddim", "clip": 1.0, "eta": 0.5},
    {"name": "ddpm", "clip": 1.0},
    {"name": "dpmpp_2m", "clip": 1.0},
    {"name": "unipc", "clip": 1.0, "order": 3},
    {"name": "euler_maruyama", "clip": 1.0},
    "edm",
    {"name": "edm", "churn": 5.0},
]


class Questions(TorchDispatchMode):
    """Counts, by device, how often one number of a tensor was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            self.asked[args[0].device.type] += 1
        return func(*args, **(kwargs or {}))


class Scales(nn.Module):
    """As small a network as can be: what is looked at here is all around it."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        return self.factor * like(t, x) * x


def drawn_without_numbers(generator: Generator, sampler: SamplerConfig) -> Questions:
    generator.network.to(META)
    generator = generator.with_sampler(sampler)
    x0 = torch.empty(2, *generator.shape, device=META)
    with torch.no_grad(), Questions() as questions:
        x = draw(generator.field([0, None]), x0, sampler, lambda: torch.empty_like(x0), bound=1.0)
    assert (x.shape, x.device) == (x0.shape, META)
    return questions


def around_a_small_network(path: Choice, target: str) -> Generator:
    return Generator(tiny_generator(path, target).config, Scales())


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize(("path", "target"), [("cond_ot", "velocity"), ("ddpm", "noise"), ("edm", "edm")])
def test_a_sampler_asks_the_device_nothing(path: str, target: str, solver: Choice) -> None:
    for more in (
        {},
        {"guidance": 2.0},
        {"guidance": 2.0, "guidance_interval": (0.2, 0.7)},
        {"path": "cond_ot" if path != "cond_ot" else "ddpm"},
    ):
        sampler = SamplerConfig(solver=solver, steps=2, grid="edm", **more)
        assert drawn_without_numbers(around_a_small_network(path, target), sampler).asked["meta"] == 0


def test_the_network_asks_it_nothing() -> None:
    drawn_without_numbers(tiny_generator(), SamplerConfig(solver="euler", steps=1))


def test_a_question_would_be_noticed() -> None:
    """The adaptive solver asks whether its last step was good enough."""
    with pytest.raises(Exception, match="meta"):
        drawn_without_numbers(around_a_small_network("cond_ot", "velocity"), SamplerConfig(solver="dopri5", steps=4))
    with Questions() as questions:
        assert bool(Tensor([1.0])[0])
    assert questions.asked == {"cpu": 1}
