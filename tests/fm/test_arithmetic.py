"""Each way of computing, beside the plain one: whole trainings of a tiny network."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from fm.arithmetic import Arithmetic, float32_products, precision_on
from fm.batches import Batches, Budget, Examples
from fm.components import Choice
from fm.generator import Generator
from fm.networks import TransformerOptions
from fm.networks.conditioned import recompute
from fm.objectives import Regression
from fm.training.trainer import Hardware
from tests.fm.conftest import tiny_generator
from tests.fm.training.test_whole_trainings import PLAN, ROWS, VELOCITY, Killed, train

PLAIN = Hardware("cpu")
CUDA = torch.device("cuda")


def weights(generator: Generator) -> torch.Tensor:
    return torch.cat([value.flatten() for value in generator.network.state_dict().values()])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> torch.Tensor:
    generator, totals = train(tmp_path_factory.mktemp("plain"), hardware=PLAIN)
    assert totals.arithmetic == Arithmetic("32-true")
    return weights(generator)


@pytest.mark.parametrize(("coupling", "timesteps"), [("independent", "uniform"), ("optimal_transport", "stratified")])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(tmp_path: Path, coupling: Choice, timesteps: Choice) -> None:
    objective = Regression.named("cond_ot", coupling, timesteps, "velocity", "flat")
    curves = []
    for parts in (1, 3):
        _, totals = train(tmp_path / str(parts), objective=objective, hardware=replace(PLAIN, parts=parts))
        curves.append(torch.tensor([(point.loss, point.gradient_norm) for point in totals.curve]))
    torch.testing.assert_close(curves[1], curves[0], rtol=1e-4, atol=1e-5)


def test_parts_are_as_equal_as_can_be() -> None:
    generator = tiny_generator()
    batch = Batches(Examples(ROWS, generator.codec, generator.conditioner), Budget(**PLAN | {"batch_size": 7}))[0]
    assert [len(part.data) for part in batch.in_parts(3)] == [2, 2, 3]
    assert [len(part.data) for part in batch.in_parts(9)] == [1] * 7
    parts = VELOCITY.paired(batch).in_parts(3)
    assert torch.equal(torch.cat([part.noise() for part in parts]), batch.noise())
    assert torch.equal(torch.cat([part.given["label"] for part in parts]), batch.given["label"])


def test_computing_again_what_was_not_kept_ends_with_the_same_bits(tmp_path: Path, plain: torch.Tensor) -> None:
    generator, _ = train(tmp_path, hardware=replace(PLAIN, recomputed=True))
    assert torch.equal(weights(generator), plain)


@pytest.mark.parametrize("kind", ["unet", "transformer"])
def test_what_lies_inside_blocks_is_not_kept(kind: str) -> None:
    network = tiny_generator().network
    if kind == "transformer":
        network = TransformerOptions(width=32, blocks=4).build((1, 8, 8), tiny_generator().conditioner.fields)
    kept = [0, 0]

    def count(value: torch.Tensor) -> torch.Tensor:
        kept[-1] += value.nbytes
        return value

    gradients = []
    for again in (False, True):
        recompute(network, again)
        kept.append(0)
        torch.manual_seed(0)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda value: value):
            out = network(torch.randn(4, 1, 8, 8), torch.rand(4), {"label": torch.arange(4)})
        out.square().sum().backward()
        gradients.append(torch.cat([value.grad.flatten() for value in network.parameters()]))
        network.zero_grad()
    assert kept[-1] < kept[-2] / 2
    assert torch.equal(*gradients)


def test_a_network_without_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="Linear has no blocks that can be computed again"):
        recompute(torch.nn.Linear(1, 1))


def test_a_resumed_training_computes_as_it_began(tmp_path: Path) -> None:
    bf16 = replace(PLAIN, precision="bf16-mixed")
    whole, _ = train(tmp_path / "whole", hardware=bf16)
    with pytest.raises(Killed):
        train(tmp_path / "killed", killed_at=10, hardware=bf16)
    resumed, totals = train(tmp_path / "killed", hardware=PLAIN)  # as where the choice would be another
    assert totals.arithmetic == bf16.arithmetic()
    assert totals.resumed == 1
    assert torch.equal(weights(resumed), weights(whole))


def tiny_transformer() -> Generator:
    """Compiled in seconds."""
    network = {"name": "transformer", "width": 8, "blocks": 1, "heads": 2, "patch_size": 4}
    torch.manual_seed(0)
    return Generator.untrained(tiny_generator().config.model_copy(update={"network": network}))


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the CPU")
def test_a_compiled_network_trains_to_the_same_bits_after_an_interruption(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compiled = replace(PLAIN, compiled=True, parts=2)
    before = counters["stats"]["unique_graphs"]
    whole, totals = train(tmp_path / "whole", hardware=compiled, generator=tiny_transformer())
    assert counters["stats"]["unique_graphs"] > before
    first = capsys.readouterr().out.splitlines()[0]
    assert "compiling the network, which takes minutes the first time" in first
    with pytest.raises(Killed):
        train(tmp_path / "killed", killed_at=10, hardware=compiled, generator=tiny_transformer())
    torch.compiler.reset()  # as in another process
    resumed, _ = train(tmp_path / "killed", hardware=compiled, generator=tiny_transformer())
    assert torch.equal(weights(resumed), weights(whole))
    capsys.readouterr()
    _, plain = train(tmp_path / "plain", hardware=PLAIN, generator=tiny_transformer())
    assert "compiling" not in capsys.readouterr().out
    curves = [torch.tensor([point.loss for point in one.curve]) for one in (totals, plain)]
    torch.testing.assert_close(*curves, rtol=1e-4, atol=1e-5)


def test_what_is_chosen_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_bf16, precision in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, it=has_bf16: it)
        assert precision_on(CUDA) == (precision, "tf32")
    assert precision_on(torch.device("mps")) == ("32-true", "ieee")
    assert precision_on(CUDA, "32-true") == ("32-true", "ieee")
    assert precision_on(CUDA, "16-mixed") == ("16-mixed", "tf32")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert Hardware().arithmetic().fused
    assert not Hardware(precision="16-mixed").arithmetic().fused


def test_products_are_afterwards_what_they_were() -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    with pytest.raises(Killed), float32_products("ieee"):
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == ("highest", False)
        raise Killed
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before
