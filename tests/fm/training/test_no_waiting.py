"""Nothing in a training step reads from the device: shown on PyTorch's device without numbers, where reading one is an
error, as on a GPU it would be to wait for all that it has been given to do."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import nn

from fm.batches import Batch, Batches, Budget, Examples
from fm.components import known
from fm.conditions import Condition
from fm.networks import Network, TransformerOptions, UNetOptions
from fm.objectives import Objective, Regression
from fm.training.loop import Loop
from fm.training.trainer import Hardware
from tests.fm.conftest import tiny_generator
from tests.fm.training.test_whole_trainings import PLAN, ROWS, VELOCITY, Killed, train

META = torch.device("meta")


class Numberless(CPUAccelerator):
    def setup_device(self, device: torch.device) -> None:
        assert device == META


PLACES: list[torch.device] = []


class OnMeta(SingleDeviceStrategy):
    def __init__(self) -> None:
        super().__init__(META, accelerator=Numberless())

    def reduce(self, tensor: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """Before the first step Lightning asks whether there are any batches."""
        return tensor if tensor.is_floating_point() else torch.ones(())

    def teardown(self) -> None:
        """Would bring the network back to the CPU."""


class ForNineSteps(Objective):
    """Velocity matching that ends before anything is due, and notes where the averaged network is."""

    def loss(self, network: nn.Module, batch: Batch, averaged: nn.Module) -> torch.Tensor:
        if len(PLACES) == 9:
            raise Killed
        PLACES.append(next(averaged.parameters()).device)
        return VELOCITY.loss(network, batch, averaged)


def test_a_training_reads_nothing_between_two_points_of_its_curve(tmp_path: Path) -> None:
    PLACES.clear()
    with pytest.raises(Killed):
        train(
            tmp_path,
            every=1000,
            objective=ForNineSteps(VELOCITY.path),
            hardware=Hardware(strategy=OnMeta()),
            images_seen=4000,
        )
    assert PLACES == 9 * [META]  # where the trained one is


class Scaled(nn.Module):
    """The least that can be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor, t: torch.Tensor, condition: Condition) -> torch.Tensor:
        return self.weight * x


TOGETHER = [("uniform", *others) for others in product(sorted(known("target")), sorted(known("weight")))]
TIMES = [(timesteps, "velocity", "flat") for timesteps in sorted(known("timesteps"))]


@pytest.mark.parametrize("path", sorted(known("path")))
def test_no_step_of_any_objective_reads(path: str) -> None:
    generator = tiny_generator()
    budget = Budget(**PLAN)
    batch = Batches(Examples(ROWS, generator.codec, generator.conditioner), budget)[0].to(META)
    for timesteps, target, weight in [*TOGETHER, *TIMES]:
        objective = Regression.named(path, "independent", timesteps, target, weight)
        loss = Loop(Scaled().to(META), objective, budget).step(batch)
        assert loss.device == META


@pytest.mark.parametrize("name", ["mean_flow", "shortcut"])
@pytest.mark.parametrize("network", [UNetOptions(8, blocks=1), TransformerOptions(16, blocks=1)], ids=["unet", "dit"])
def test_no_step_for_few_steps_reads(name: str, network: Network) -> None:
    generator = tiny_generator()
    batch = Batches(Examples(ROWS, generator.codec, generator.conditioner), Budget(**PLAN))[0].to(META)
    parts = {"path": "cond_ot", "coupling": "independent", "timesteps": "uniform"}
    for derivative in [{"derivative": each} for each in ("difference", "forward")] if name == "mean_flow" else [{}]:
        objective = Objective.of({"name": name, **parts, **derivative})
        trained = network.build(generator.codec.shape, generator.conditioner.fields, until=True).to(META)
        assert Loop(trained, objective, Budget(**PLAN)).step(batch).device == META
