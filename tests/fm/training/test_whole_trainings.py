"""Whole trainings of a tiny network, a second each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fm.batches import Batch, Budget, Examples
from fm.data.rows import Arrays
from fm.errors import UserError
from fm.generator import Generator
from fm.objectives import Objective, Regression
from fm.training.callbacks import Point, Totals
from fm.training.checkpoints import before
from fm.training.divergence import Diverged
from fm.training.loop import fit
from fm.training.trainer import Hardware, Keeping, Watching
from fm.training.trainer import train as train_by_lightning
from tests.fm.conftest import tiny_generator

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), dtype=np.uint8)
ROWS = Arrays({"data": IMAGES, "label": np.arange(50) % 10})
VELOCITY = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
STEPS = 12
PLAN: dict[str, Any] = {
    "images_seen": STEPS * 4,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "warmup_steps": 4,
    "ema_decay": 0.9,
    "label_dropout": 0.1,
    "gradient_clip": 1.0,
    "seed": 0,
}


class Killed(Exception):
    """Stands for kill -9: nothing is saved, nothing tidied up."""


def train(
    folder: Path,
    killed_at: int | None = None,
    every: int = 4,
    generator: Generator | None = None,
    see: Callable[[int, Generator], None] = lambda step, generator: None,
    accelerator: str = "cpu",
    precision: str = "32-true",
    objective: Objective = VELOCITY,
    hardware: Hardware | None = None,
    lengths: tuple[float, ...] = (),
    **budget: Any,
) -> tuple[Generator, Totals]:
    def report(point: Point, images_per_second: float) -> None:
        if point.step == killed_at:
            raise Killed

    generator = generator or tiny_generator()
    totals = train_by_lightning(
        generator,
        objective,
        Examples(ROWS, generator.codec, generator.conditioner),
        Budget(**PLAN | budget),
        Keeping(folder / "last.ckpt", key="this training", every=every, snapshots=2, lengths=lengths),
        hardware or Hardware(accelerator, precision=precision),
        Watching("train", report, see),
    )
    return generator, totals


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], list[Point]]:
    generator, totals = train(tmp_path_factory.mktemp("unbroken"))
    return generator.network.state_dict(), totals.curve


def test_a_plain_loop_ends_with_the_same_bytes(unbroken: tuple[dict[str, torch.Tensor], list[Point]]) -> None:
    generator, losses = tiny_generator(), []
    examples = Examples(ROWS, generator.codec, generator.conditioner)
    fit(generator, VELOCITY, examples, Budget(**PLAN), lambda step, loss: losses.append((step, loss)))

    weights, curve = unbroken
    assert losses == [(point.step, point.loss) for point in curve]
    for name, value in generator.network.state_dict().items():
        assert torch.equal(value, weights[name]), name


def with_dropout() -> Generator:
    plain = tiny_generator()
    generator = Generator.untrained(
        plain.config.model_copy(update={"network": {**plain.config.network, "dropout": 0.5}})
    )
    generator.network.load_state_dict(plain.network.state_dict())
    return generator


def test_dropout_is_the_same_by_either_loop_and_after_an_interruption(
    tmp_path: Path, unbroken: tuple[dict[str, torch.Tensor], list[Point]]
) -> None:
    whole, _ = train(tmp_path / "whole", generator=with_dropout())
    with pytest.raises(Killed):
        train(tmp_path / "killed", killed_at=10, generator=with_dropout())
    resumed, _ = train(tmp_path / "killed", generator=with_dropout())
    by_loop = with_dropout()
    fit(by_loop, VELOCITY, Examples(ROWS, by_loop.codec, by_loop.conditioner), Budget(**PLAN))

    expected = whole.network.state_dict()
    for generator in (resumed, by_loop):
        assert all(torch.equal(value, expected[name]) for name, value in generator.network.state_dict().items())
    assert not all(torch.equal(value, expected[name]) for name, value in unbroken[0].items())


def test_averages_of_several_lengths_leave_the_training_as_it_is_and_are_the_same_after_an_interruption(
    tmp_path: Path, unbroken: tuple[dict[str, torch.Tensor], list[Point]]
) -> None:
    lengths = (0.05, 0.1)
    generator, _ = train(tmp_path / "whole", lengths=lengths)
    assert all(torch.equal(value, unbroken[0][name]) for name, value in generator.network.state_dict().items())
    with pytest.raises(Killed):
        train(tmp_path / "killed", killed_at=10, lengths=lengths)
    train(tmp_path / "killed", lengths=lengths)

    whole, killed = (
        {file.relative_to(place): file.read_bytes() for file in place.rglob("*.safetensors")}
        for place in (tmp_path / "whole" / "averages", tmp_path / "killed" / "averages")
    )
    assert whole == killed
    steps = {int(file.parent.name) // 4 for file in whole}
    assert steps == set(range(1, STEPS + 1))  # so short a training has fewer than there are moments
    for seen in (12, 48):
        assert len({whole[Path(length, str(seen), "model.safetensors")] for length in ("0.05", "0.1")}) == 2
    snapshots = {file.parent.name for file in (tmp_path / "whole" / "snapshots").rglob("*.safetensors")}
    assert snapshots == {"16", "32"}


def test_averages_of_several_lengths_are_refused_where_weights_are_divided(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="averages of several lengths are not kept where weights are divided"):
        train(tmp_path, lengths=(0.05, 0.1), hardware=Hardware("cpu", strategy="fsdp"))


def test_a_plain_loop_ends_where_its_loss_is_not_finite() -> None:
    generator = tiny_generator()
    examples = Examples(ROWS, generator.codec, generator.conditioner)
    with pytest.raises(UserError, match=r"diverged: its loss is (nan|inf) at step \d+ of 12"):
        fit(generator, VELOCITY, examples, Budget(**PLAN | {"learning_rate": 1e20}))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        ([], ""),
        (["last.ckpt"], "last.ckpt cannot be read; it goes on from the one before"),
        (["last.ckpt", "before-last.ckpt"], "before-last.ckpt cannot be read; it begins anew"),
    ],
)
def test_what_is_left_of_a_killed_training_ends_with_the_same_bytes(
    tmp_path: Path,
    unbroken: tuple[dict[str, torch.Tensor], list[Point]],
    capsys: pytest.CaptureFixture[str],
    damaged: list[str],
    told: str,
) -> None:
    with pytest.raises(Killed):
        train(tmp_path, killed_at=10)
    for name in damaged:
        cut(tmp_path / name)
    capsys.readouterr()

    generator, totals = train(tmp_path)

    weights, curve = unbroken
    for name, value in generator.network.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert totals.curve == curve
    assert totals.resumed == (len(damaged) < 2)
    lines = [line for line in capsys.readouterr().out.splitlines() if str(tmp_path) in line]
    assert len(lines) == bool(damaged)
    assert all(told in line for line in lines)


def test_after_a_damaged_checkpoint_the_whole_one_stays_the_one_before(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(tmp_path, killed_at=10)
    whole = before(tmp_path / "last.ckpt").read_bytes()
    cut(tmp_path / "last.ckpt")
    with pytest.raises(Killed):
        train(tmp_path, killed_at=9)  # after it has saved step 8 again
    assert before(tmp_path / "last.ckpt").read_bytes() == whole
    assert (tmp_path / "last.ckpt").exists()


def test_a_snapshot_that_is_damaged_before_the_end_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Killed):
        train(tmp_path, killed_at=10)
    first, second = tmp_path / "snapshots" / "16", tmp_path / "snapshots" / "32"
    weights = bytearray((first / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (first / "model.safetensors").write_bytes(weights)
    train(tmp_path)
    assert f"{first} is damaged and left out" in capsys.readouterr().out
    assert not first.exists()
    assert Generator.load(second).config == tiny_generator().config


@pytest.mark.parametrize("every", [1, 4])
def test_a_training_that_diverges_ends_at_that_step_and_keeps_nothing_of_it(tmp_path: Path, every: int) -> None:
    """Weights of 1e30 overflow in the step after."""
    seen: list[int] = []
    with pytest.raises(Diverged) as stopped:
        train(tmp_path, every=every, see=lambda step, _: seen.append(step), learning_rate=1e30, warmup_steps=0)
    assert "not finite at step 2 of 12, with learning rate 1e+30;" in str(stopped.value)
    expected = f"of step 1, is {tmp_path / 'last.ckpt'}." if every == 1 else "no checkpoint was saved."
    assert expected in str(stopped.value)
    assert (tmp_path / "last.ckpt").exists() == (every == 1)
    assert not before(tmp_path / "last.ckpt").exists()
    assert seen == []
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize("precision", ["16-mixed", "16"])
def test_what_a_processor_would_compute_otherwise_is_refused(tmp_path: Path, precision: str) -> None:
    with pytest.raises(UserError, match=rf"^precision = {precision}: is for GPUs; auto, 32-true or bf16-mixed"):
        train(tmp_path, hardware=Hardware("cpu", precision=precision))


@pytest.mark.parametrize(("precision", "strategy"), [("bf16-true", "auto"), ("bf16-mixed", "fsdp")])
def test_weights_of_16_bits_are_refused_where_differences_are_taken(
    tmp_path: Path, precision: str, strategy: str
) -> None:
    parts = {"path": "cond_ot", "coupling": "independent", "timesteps": "uniform"}
    objective = Objective.of({"name": "mean_flow", **parts})
    with pytest.raises(UserError, match=rf"^precision = {precision}: the objective takes differences, which are lost"):
        train(tmp_path, objective=objective, hardware=Hardware("cpu", strategy=strategy, precision=precision))


def test_fewer_parts_than_were_asked_for_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batch = PLAN["batch_size"]
    train(tmp_path, hardware=Hardware("cpu", precision="32-true", parts=batch + 1), images_seen=batch, warmup_steps=0)
    told = (
        f"train: a process has {batch} data of a batch, which are cut into as many parts, not {batch + 1} (accumulate)"
    )
    assert told in capsys.readouterr().out.splitlines()


def test_hardware_that_is_not_here_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match=r"^this machine can't train with accelerator cuda, devices 1, .*: .+$"):
        train(tmp_path, accelerator="cuda")


def test_a_rerun_goes_on_from_the_last_good_checkpoint_to_the_same_end(tmp_path: Path) -> None:
    told = set()
    for _ in range(2):
        with pytest.raises(Diverged) as stopped:
            train(tmp_path, every=1, learning_rate=1e30, warmup_steps=0)
        told.add(str(stopped.value))
    assert len(told) == 1


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    """Loss and gradient are, as long as nobody asks for that label."""
    generator = tiny_generator(label_names=[*"0123456789", "never drawn"])
    with torch.no_grad():
        next(value for value in generator.network.parameters() if value.shape[0] == 12)[10] = torch.inf
    with pytest.raises(Diverged, match=r"a weight is not finite at step 1 of 12, .*; no checkpoint was saved\. A"):
        train(tmp_path, generator=generator)
    assert not list(tmp_path.glob("*.ckpt"))


@pytest.mark.parametrize(("precision", "dtype"), [("bf16-true", torch.bfloat16), ("64-true", torch.float64)])
def test_noise_and_times_are_of_the_networks_own_precision(tmp_path: Path, precision: str, dtype: torch.dtype) -> None:
    generator, _ = train(tmp_path, precision=precision)
    assert {value.dtype for value in generator.network.parameters()} == {dtype}


DISTANCES: list[float] = []


class Compared(Objective):
    """Velocity matching, which notes how far the averaged network is from the one that is trained."""

    def loss(self, network: nn.Module, batch: Batch, averaged: nn.Module) -> torch.Tensor:
        loss = VELOCITY.loss(network, batch, averaged)
        with torch.no_grad():
            DISTANCES.append(float(loss - VELOCITY.loss(averaged, batch, averaged)))
        return loss


def test_an_objective_of_ones_own_has_the_averaged_network_beside_the_other(tmp_path: Path) -> None:
    train(tmp_path, objective=Compared(VELOCITY.path))
    assert len(DISTANCES) == STEPS
    assert DISTANCES[0] == 0
    assert any(DISTANCES)
