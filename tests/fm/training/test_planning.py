"""What is planned for a training, against what one takes."""

from functools import partial
from statistics import median
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.gpu.sizes import LARGE
from fm.batches import Budget
from fm.conditions import Labels
from fm.networks import Network
from fm.networks.conditioned import recompute
from fm.training.ema import Average
from fm.training.loop import optimizer_of
from fm.training.planning import Setting, needs, size, step
from fm.training.sharding import shard
from tests.fm.training.together import together

LABELS = Labels(tuple("0123456789"))
UNET = {"name": "unet", "width": 32, "multipliers": [1, 2], "patch_size": 2}
TRANSFORMER = {"name": "transformer", "width": 128, "blocks": 6, "patch_size": 2}
SHAPE = 4, 16, 16
DATA = 16
STEP, STEPS = "one step", 3
DIVIDED, EACH = TRANSFORMER | {"blocks": 3}, 4
"""What several processes train, and on how many data each: little beside the weights, of which each holds a part."""


def build(network: dict[str, Any]) -> torch.nn.Module:
    return Network.of(network).build(SHAPE, LABELS.fields)


def measured(network: dict[str, Any], setting: Setting, data: int) -> int:
    """The most bytes that PyTorch's allocator has handed out at once in a real step; in each process of several.

    Counted from what is kept between steps. Where processes exchange what they have it is the median of several steps:
    other threads give some of it back, later or earlier, and what those do the profiler does not see.
    """
    trained = build(network).train()
    recompute(trained, setting.recomputed)
    average = Average(trained, decay=0.999)
    if setting.sharded:
        dist.init_process_group("gloo")
        mesh = init_device_mesh("cpu", (setting.devices,))
        for one in (trained, average.network):
            shard(one, mesh, setting.precision)
    optimizer, _ = optimizer_of(trained, Budget(images_seen=1, batch_size=1, learning_rate=1e-3))
    under = {"label": torch.zeros(data, dtype=torch.int64)}
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        for _ in range(1 + (STEPS if setting.sharded else 1)):
            with record_function(STEP):
                step(trained, average, optimizer, torch.randn(data, *SHAPE), under, setting)
    kept = size([*trained.parameters(), *gradients(trained), *moments(optimizer), *average.network.parameters()])
    most: list[int] = []
    for event in sorted(profiled.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == STEP:
            held = kept
            most.append(held)
        elif event.name() == "[memory]":
            held += event.nbytes()
            most[-1] = max(most[-1], held)
    return int(median(most[1:]))  # the first one makes the optimiser's moments


def gradients(network: torch.nn.Module) -> list[torch.Tensor]:
    return [weight.grad for weight in network.parameters() if weight.grad is not None]


def moments(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor)]


@pytest.mark.parametrize(
    ("network", "precision", "recomputed"),
    [
        (UNET, "32-true", False),
        (UNET, "bf16-mixed", True),
        (TRANSFORMER, "32-true", True),
        (TRANSFORMER, "bf16-mixed", False),
    ],
)
def test_a_plan_is_within_a_tenth_of_what_is_taken(network: dict[str, Any], precision: str, recomputed: bool) -> None:
    setting = Setting(precision=precision, recomputed=recomputed, on_gpu=False)
    planned = needs(partial(build, network), SHAPE, LABELS.read([None]), setting, DATA)
    assert planned.total == pytest.approx(measured(network, setting, DATA), rel=0.1)


@pytest.mark.parametrize(("number", "taken"), [(0, 6.08), (4, 30.5)])
def test_a_plan_is_what_a_gpu_has_taken(number: int, taken: float) -> None:
    """GiB that an NVIDIA H200 held at most in two steps of `make gpu-check`, bf16-mixed: a UNet and a transformer."""
    case = LARGE.cases[number]
    network = partial(Network.of(case.options).build, case.shape, LABELS.fields)
    planned = needs(network, case.shape, LABELS.read([None]), Setting(), case.batch)
    assert planned.total / 2**30 == pytest.approx(taken, rel=0.05)


@pytest.mark.parametrize(("count", "recomputed"), [(2, False), (4, True)])
def test_a_plan_for_several_processes_is_too(count: int, recomputed: bool) -> None:
    setting = Setting(count, sharded=True, recomputed=recomputed, on_gpu=False)
    planned = needs(partial(build, DIVIDED), SHAPE, LABELS.read([None]), setting, EACH)
    for taken in together(count, measured, DIVIDED, setting, EACH):
        assert planned.total == pytest.approx(taken, rel=0.1)
    whole = sum(weight.numel() for weight in build(DIVIDED).parameters()) * 4
    assert planned.weights == planned.averaged == pytest.approx(whole / count, rel=0.02)
