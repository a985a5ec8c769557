"""From a trained generator to another: the first images are the original's, and training goes on."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import fm
from fm.config import Config, Native, SamplerConfig
from fm.generator import Generator, GeneratorError
from fm.networks.converted import unconverted
from fm.starting import Original, gone_on, original_in, shapes_in, take_weights, told_where_steps_end, weights_in
from tests.extending.my_package.networks import Pointwise
from tests.fm.conftest import tiny_generator


def flow_of(original: Generator, **others: object) -> Config:
    wanted = {"path": "cond_ot", "target": "velocity", "network": "transformer", "native": None, **others}
    return gone_on(Config.model_validate(original.config.model_dump() | wanted), Original.of(original.config))


def over(original: Generator) -> Generator:
    generator = Generator.untrained(flow_of(original))
    take_weights(generator, unconverted(original.network).state_dict())
    generator.network.eval()
    return generator


@pytest.mark.parametrize("origin", [("ddpm", "noise"), ("cosine", "v"), ("edm", "edm")], ids=str)
def test_it_makes_the_originals_images(origin: tuple[str, str]) -> None:
    """By DDIM along the original's path, in float64, and by nothing else."""
    original = tiny_generator(*origin)
    generator = over(original)
    for one in (original, generator):
        one.network.double()
    sampler = SamplerConfig(solver="ddim", steps=10, path=origin[0], grid="edm" if origin[0] == "edm" else "uniform")
    expected, _ = original.with_sampler(sampler).sample_float(4, seed=1)
    made, nfe = generator.with_sampler(sampler).sample_float(4, seed=1)
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-4)
    assert nfe == 10
    other, _ = generator.sample_float(4, seed=1)
    assert float((other - expected).abs().max()) > 0.01


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    generator = over(tiny_generator("ddpm", "noise"))
    generator.save(tmp_path / "flow")
    loaded = Generator.load(tmp_path / "flow")
    assert loaded.config == generator.config
    assert loaded.config.native == Native(path="ddpm", target="noise")
    assert np.array_equal(loaded.sample(3, seed=1), generator.sample(3, seed=1))


def test_where_nothing_is_converted_the_file_says_nothing_of_it(tmp_path: Path) -> None:
    tiny_generator().save(tmp_path)
    assert "native" not in json.loads((tmp_path / "config.json").read_text())


def test_on_the_same_path_it_is_the_network_itself() -> None:
    original = tiny_generator("ddpm", "noise")
    same = flow_of(original, path="ddpm", target="noise")
    assert same.native is None
    assert same.network == original.config.network


def test_from_a_folder_there_and_back_it_is_the_network_itself_too(tmp_path: Path) -> None:
    original = tiny_generator("ddpm", "noise")
    over(original).save(tmp_path)
    back = Generator.untrained(gone_on(original.config, original_in(tmp_path)))
    assert back.config.native is None
    take_weights(back, weights_in(tmp_path))
    back.network.eval()
    assert np.array_equal(back.sample(3, seed=1), original.sample(3, seed=1))


def test_a_target_keeps_the_scale_it_was_trained_at() -> None:
    original = tiny_generator("edm", "edm")
    config = flow_of(original, codec={"name": "pixels", "stored": [8, 8, 1], "scale": 0.25})
    assert config.native == Native(path="edm", target={"name": "edm", "sigma_data": 0.5})


def test_training_goes_on() -> None:
    """Of a network that says nothing of use: its loss on the straight path falls."""
    data = np.zeros((64, 8, 8, 1), np.uint8)
    data[np.arange(64), np.arange(64) % 8] = 255
    label = np.arange(64) % 10
    codec, labels = fm.Pixels((8, 8, 1)), fm.Labels(tuple("0123456789"))
    examples = fm.Examples(fm.Arrays({"data": data, "label": label}), codec, labels)
    generator = over(tiny_generator("ddpm", "v"))
    losses: list[float] = []
    objective = fm.Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    budget = fm.Budget(images_seen=1280, batch_size=32, learning_rate=3e-3)
    fm.fit(generator, objective, examples, budget, lambda step, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    original = tiny_generator("ddpm", "noise")
    generator = Generator.untrained(flow_of(original))
    weights = original.network.state_dict()
    name = next(iter(weights))
    of_another = "it cannot be gone on from: its weights are another network's: "
    size = re.escape(str(list(weights[name].shape)))
    for others, told in (
        ({other: value for other, value in weights.items() if other != name}, f"{name} is missing, and must be {size}"),
        (weights | {name: torch.zeros(3, 2)}, rf"{name} is \[3, 2\], and must be {size}"),
        (weights | {"more": torch.zeros(3)}, r"more is \[3\], and must be missing"),
    ):
        with pytest.raises(GeneratorError, match=f"^{of_another}{told}$"):
            take_weights(generator, others)
    with pytest.raises(GeneratorError, match=f"the weight {name} is not finite"):
        take_weights(generator, weights | {name: torch.full_like(weights[name], torch.nan)})
    with pytest.raises(GeneratorError, match="is no generator"):
        weights_in(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    for read in (weights_in, shapes_in):
        with pytest.raises(GeneratorError, match=r"model.safetensors is damaged"):
            read(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(GeneratorError, match=r"of a newer version: Invalid JSON"):
        original_in(tmp_path)


@pytest.mark.parametrize("native", [False, True])
def test_the_shapes_of_weights_are_known_without_them(native: bool, tmp_path: Path) -> None:
    original = tiny_generator("ddpm", "noise")
    (original if native else over(original)).save(tmp_path)
    assert shapes_in(tmp_path) == {name: tuple(value.shape) for name, value in weights_in(tmp_path).items()}


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ({"codec": {"name": "pixels", "stored": [4, 4, 1]}}, r"is for pixels \[1, 8, 8\], and the data are pixels"),
        ({"conditioner": "none"}, "is told 10 labels, and the data have nothing"),
        (
            {"conditioner": {"name": "labels", "names": list("0123456798")}},
            "knows label 8 as '8', and the data as '9': ",
        ),
        ({"until": True}, "goes on only as such a network"),
    ],
    ids=["data", "condition", "order of labels", "until"],
)
def test_what_does_not_fit_is_refused(others: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        flow_of(tiny_generator("ddpm", "noise"), **others)


@pytest.mark.parametrize("kind", ["unet", "transformer"])
@pytest.mark.parametrize("options", [{}, {"time_frequency": 30.0}], ids=["fast", "slow"])
def test_told_a_second_time_it_says_what_the_original_says_to_the_bit(kind: str, options: dict[str, float]) -> None:
    """Whichever second time it is told, so that one Euler step of both is the same; its gradient does not vanish."""
    original = tiny_generator(network={"name": kind, "width": 8, "patch_size": 2, **options})
    generator = Generator.untrained(flow_of(original, until=True))
    take_weights(generator, original.network.state_dict())
    generator.network.eval()
    draws = torch.Generator().manual_seed(1)
    x, t = torch.randn(4, 1, 8, 8, generator=draws), torch.rand(4, generator=draws)
    label = {"label": torch.tensor([0, 3, 9, 10])}
    expected = original.network(x, t, label)
    for until in (None, t, torch.ones(4)):
        assert torch.equal(generator.network(x, t, label, until=until), expected)
    generator.network(x, t, label, until=torch.ones(4)).square().sum().backward()
    assert float(generator.network.get_parameter("embed_until.second.weight").grad.abs().max()) > 0  # type: ignore[union-attr]


def test_one_that_is_told_a_second_time_keeps_what_it_made_of_it(tmp_path: Path) -> None:
    config = tiny_generator().config.model_copy(update={"until": True})
    original = Generator.untrained(config)
    original.save(tmp_path)
    generator = Generator.untrained(gone_on(config, original_in(tmp_path)))
    take_weights(generator, weights_in(tmp_path))
    assert generator.config == original.config
    for name, value in original.network.state_dict().items():
        assert torch.equal(generator.network.state_dict()[name], value), name


def test_how_fast_a_network_of_ones_own_embeds_times_is_not_known() -> None:
    with pytest.raises(ValueError, match=r"network .*:Pointwise: without an option time_frequency"):
        told_where_steps_end(Pointwise().choice)
