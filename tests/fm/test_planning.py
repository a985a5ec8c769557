"""What is planned for a training, against what one takes."""

from functools import partial
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.profiler import ProfilerActivity, profile

from fm.batches import Budget
from fm.conditions import Labels
from fm.ema import Average
from fm.loop import optimizer_of
from fm.networks import Network
from fm.networks.conditioned import recompute
from fm.planning import Setting, needs, size, step
from fm.sharding import shard
from tests.fm.together import together

LABELS = Labels(tuple("0123456789"))
UNET = {"name": "unet", "width": 32, "multipliers": [1, 2], "patch_size": 2}
TRANSFORMER = {"name": "transformer", "width": 128, "blocks": 6, "patch_size": 2}
SHAPE = 4, 16, 16
DATA = 16


def build(network: dict[str, Any]) -> torch.nn.Module:
    return Network.of(network).build(SHAPE, LABELS.fields)


def measured(network: dict[str, Any], setting: Setting) -> int:
    """The most bytes that PyTorch's allocator has handed out at once, in real steps; in each process of several."""
    trained = build(network).train()
    recompute(trained, setting.recomputed)
    average = Average(trained, decay=0.999)
    if setting.sharded:
        dist.init_process_group("gloo")
        mesh = init_device_mesh("cpu", (setting.devices,))
        for one in (trained, average.network):
            shard(one, mesh, setting.precision)
    optimizer, _ = optimizer_of(trained, Budget(images_seen=1, batch_size=1, learning_rate=1e-3))
    under = {"label": torch.zeros(DATA, dtype=torch.int64)}
    held = most = size([*trained.parameters(), *average.network.parameters()])
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        for _ in range(2):
            step(trained, average, optimizer, torch.randn(DATA, *SHAPE), under, setting.precision)
    for event in profiled.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


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
    setting = Setting(precision=precision, recomputed=recomputed)
    planned = needs(partial(build, network), SHAPE, LABELS.read([None]), setting, DATA)
    assert planned.total == pytest.approx(measured(network, setting), rel=0.1)


@pytest.mark.parametrize(("count", "recomputed"), [(2, False), (4, True)])
def test_a_plan_for_several_processes_is_too(count: int, recomputed: bool) -> None:
    setting = Setting(count, sharded=True, recomputed=recomputed)
    planned = needs(partial(build, TRANSFORMER), SHAPE, LABELS.read([None]), setting, DATA)
    for taken in together(count, measured, TRANSFORMER, setting):
        assert planned.total == pytest.approx(taken, rel=0.1)
    whole = sum(weight.numel() for weight in build(TRANSFORMER).parameters()) * 4
    assert planned.weights == planned.averaged == pytest.approx(whole / count, rel=0.02)
