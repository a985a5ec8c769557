"""Trainings that several processes share: each on its part of a batch, and under fsdp with its part of every weight."""

import os
import resource
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from fm.batches import Budget, Examples
from fm.generator import Generator
from fm.networks import Network
from fm.networks.layers import in_channels_last
from fm.networks.sizes import sizes_alone
from fm.training.callbacks import Point
from fm.training.checkpoint_folders import Folders
from fm.training.sharding import blocks, hand_out, tensors, without_weights
from fm.training.trainer import Hardware, Keeping, Watching
from fm.training.trainer import train as train_by_lightning
from tests.fm.conftest import tiny_generator
from tests.fm.training.test_whole_trainings import PLAN, ROWS, STEPS, VELOCITY
from tests.fm.training.together import together

Trained = tuple[list[Point], NDArray[Any] | None, int]


def train(folder: Path, strategy: str, killed_at: int | None = None, **how: Any) -> Trained:
    """The curve, what the averaged network says where it is whole, and how often the training was resumed."""

    def report(point: Point, images_per_second: float) -> None:
        if point.step == killed_at:
            wait_for_parts(folder / "last.parts", strategy)
            os._exit(9)

    def show(step: int, generator: Generator) -> None:
        assert generator.sample(2, seed=0, steps=2).shape == (2, 8, 8, 1)

    hardware = Hardware("cpu", strategy=strategy, precision="32-true")
    generator = tiny_generator()
    if not hardware.needs_weights:
        generator.network = without_weights(generator.network)
    totals = train_by_lightning(
        generator,
        VELOCITY,
        Examples(ROWS, generator.codec, generator.conditioner),
        Budget(**PLAN),
        Keeping(folder / "last.ckpt", key="this training", every=4, snapshots=2, **how),
        hardware,
        Watching("train", report, show),
    )
    return totals.curve, said(generator), totals.resumed


def wait_for_parts(folder: Path, strategy: str) -> None:
    """Until the checkpoint of step 8 is there, which is written beside the training, for as long as a busy machine may
    take."""
    for _ in range(100):
        if strategy != "fsdp" or newest_in(folder).endswith("8"):
            return
        time.sleep(0.2)


def newest_in(folder: Path) -> str:
    newest, _ = Folders(folder, "this training").usable(set_aside=False)
    return "" if newest is None else str(newest)


def said(generator: Generator) -> NDArray[Any] | None:
    """Of fixed data. The weights themselves would not do: AdamW moves those that come to nothing, like biases before a
    norm, as far as the others, after what is rounding alone."""
    if any(weight.is_meta for weight in generator.network.parameters()):
        return None
    draws = torch.Generator().manual_seed(0)
    x, t = torch.randn(8, 1, 8, 8, generator=draws), torch.rand(8, generator=draws)
    with torch.no_grad():
        return generator.network(x, t, {"label": torch.arange(8)}).numpy()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("alone"), "auto")


def assert_alike(trained: Trained, alone: Trained) -> None:
    """To rounding: sums of floating-point numbers in another order."""
    curve, network, _ = trained
    assert [point.step for point in curve] == list(range(1, STEPS + 1))
    for point, expected in zip(curve, alone[0], strict=True):
        assert point == pytest.approx(expected, rel=1e-4)
    assert network is not None
    assert alone[1] is not None
    np.testing.assert_allclose(network, alone[1], atol=1e-4 * np.abs(alone[1]).max())


@pytest.mark.parametrize(
    ("strategy", "count"), [("ddp", 2), ("fsdp", 2), pytest.param("fsdp", 4, marks=pytest.mark.runs)]
)
def test_several_processes_train_as_one_does(tmp_path: Path, alone: Trained, strategy: str, count: int) -> None:
    first, *others = together(count, train, tmp_path, strategy)
    assert_alike(first, alone)
    assert all(curve == first[0] for curve, _, _ in others)
    made = tmp_path / "snapshots"
    assert {folder.name for folder in made.iterdir()} == {"16", "32"}
    assert Generator.load(made / "16").config == tiny_generator().config


def train_apart(folder: Path) -> Trained:
    """As on two machines that have no folder in common."""
    return train(folder if os.environ["RANK"] == "0" else folder / "of the second", "ddp")


def test_a_killed_training_goes_on_with_another_number_of_processes(tmp_path: Path, alone: Trained) -> None:
    assert together(2, train, tmp_path, "ddp", 10) == [None] * 2
    with pytest.raises(AssertionError, match=r"process 1, on .*, finds the checkpoint of step 0 .* that of step 8"):
        together(2, train_apart, tmp_path)
    first, *_ = together(4, train, tmp_path, "ddp")
    assert_alike(first, alone)
    assert first[2] == 1


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_damaged_part_makes_all_processes_go_on_from_the_checkpoint_before(tmp_path: Path, alone: Trained) -> None:
    together(2, train, tmp_path, "fsdp", 10)
    newest, wrong = Folders(tmp_path / "last.parts", "this training").usable(set_aside=False)
    assert newest is not None
    assert not wrong
    flip(Path(newest) / "__1_0.distcp")
    (first,) = together(1, train, tmp_path, "fsdp")
    assert_alike(first, alone)
    assert first[2] == 1


def terminated(folder: Path, strategy: str) -> int:
    """Ends as if one of the processes alone had got a SIGTERM."""

    def show(step: int, generator: Generator) -> None: ...

    def report(point: Point, images_per_second: float) -> None:
        if point.step == 5 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGTERM)

    generator = tiny_generator()
    try:
        train_by_lightning(
            generator,
            VELOCITY,
            Examples(ROWS, generator.codec, generator.conditioner),
            Budget(**PLAN),
            Keeping(folder / "last.ckpt", key="this training", every=100),
            Hardware("cpu", strategy=strategy, precision="32-true"),
            Watching("train", report, show),
        )
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


@pytest.mark.parametrize("strategy", ["ddp", pytest.param("fsdp", marks=pytest.mark.runs)])
def test_a_signal_to_one_process_ends_all_with_a_checkpoint(tmp_path: Path, alone: Trained, strategy: str) -> None:
    assert together(2, terminated, tmp_path, strategy) == [143, 143]
    if strategy == "fsdp":
        newest, _ = Folders(tmp_path / "last.parts", "this training").usable(set_aside=False)
        assert str(newest).endswith(("step-000000006", "step-000000007"))
    else:
        assert torch.load(tmp_path / "last.ckpt")["global_step"] in (6, 7)
    first, *_ = together(4, train, tmp_path, strategy)
    assert_alike(first, alone)
    assert first[2] == 1


def test_a_batch_that_cannot_be_divided_evenly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="UserError: a batch of 4 can't be divided evenly among 3 processes"):
        together(3, train, tmp_path, "ddp")


def handed_out(network: dict[str, Any], shape: tuple[int, ...]) -> tuple[bool, float]:
    """Whether all the parts together are what one process makes, and how much of a whole network this process has
    held at most to get its part."""
    dist.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))

    def made() -> nn.Module:
        torch.manual_seed(0)
        return Network.of(network).build(shape, {})

    held = most_held()
    with nullcontext() if dist.get_rank() == 0 else sizes_alone():
        given = in_channels_last(made())
    hand_out(given, mesh, "32-true", torch.device("cpu"))
    held = most_held() - held
    parts = [(one.full_tensor() if isinstance(one, DTensor) else one) for one in tensors(given)]
    same = all(torch.equal(one, expected) for one, expected in zip(parts, tensors(made()), strict=True))
    return same, held / sum(one.numel() * one.element_size() for one in parts)


def most_held() -> int:
    """Bytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_one_process_alone_has_ever_the_whole_network() -> None:
    network = {"name": "transformer", "width": 512, "blocks": 6, "patch_size": 2}
    (same, by_first), *others = together(4, handed_out, network, (3, 16, 16))
    assert same
    assert by_first < 1.25
    for same, by_other in others:
        assert same
        assert by_other < 0.5


def test_weights_in_any_order_of_memory_are_handed_out() -> None:
    network = {"name": "unet", "width": 16, "multipliers": [1], "blocks": 1}
    assert all(same for same, _ in together(3, handed_out, network, (3, 8, 8)))


@pytest.mark.parametrize("kind", ["unet", "transformer"])
def test_nearly_all_weights_are_in_blocks(kind: str) -> None:
    """Weights outside of them are together for the whole step."""
    with torch.device("meta"):
        network = Network.of({"name": kind, "width": 64, "blocks": 4}).build((3, 32, 32), {})
    inside = sum(weight.numel() for block in blocks(network) for weight in block.parameters())
    assert inside > 0.8 * sum(weight.numel() for weight in network.parameters())
