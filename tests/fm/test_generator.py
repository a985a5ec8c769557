import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import fm
from fm.components import Choice
from fm.config import SamplerConfig
from fm.generator import Generator, GeneratorError, NotFinite
from tests.fm.conftest import tiny_generator


def test_is_reached_from_the_package() -> None:
    assert fm.Generator is Generator


def test_saved_and_loaded_it_makes_the_same_images(generator: Generator, tmp_path: Path) -> None:
    generator.save(tmp_path / "a")
    loaded = Generator.load(tmp_path / "a")
    assert loaded.config == generator.config
    assert np.array_equal(loaded.sample(5, seed=1), generator.sample(5, seed=1))
    loaded.save(tmp_path / "b")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_one_of_sizes_alone_has_the_same_and_no_numbers(generator: Generator) -> None:
    empty = Generator.untrained(generator.config, weights=False).network.state_dict()
    assert all(one.is_meta for one in empty.values())
    shapes = {name: one.shape for name, one in generator.network.state_dict().items()}
    assert {name: one.shape for name, one in empty.items()} == shapes


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(
    generator: Generator, tmp_path: Path, value: float
) -> None:
    generator.save(tmp_path / "a")
    weights = load_file(tmp_path / "a" / "model.safetensors")
    name = list(weights)[-1]
    weights[name].flatten()[-1] = value
    save_file(weights, tmp_path / "a" / "model.safetensors")
    with pytest.raises(GeneratorError, match=rf"a/model.safetensors cannot be used: the weight {name} is not finite"):
        Generator.load(tmp_path / "a")

    generator.network.load_state_dict(weights)
    with pytest.raises(GeneratorError, match=rf"b is not written: the weight {name} is not finite"):
        generator.save(tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_images_that_are_not_finite_are_refused(generator: Generator) -> None:
    """Of finite weights, but beyond all bounds."""
    with torch.no_grad():
        for value in generator.network.parameters():
            value.fill_(1e30)
    with pytest.raises(NotFinite, match="euler with 4 steps makes data that are not finite"):
        generator.sample(2, seed=0, solver="euler")
    with pytest.raises(NotFinite):
        generator.sample_from(torch.zeros(1, 1, 8, 8), [0])


def test_format(generator: Generator) -> None:
    images = generator.sample(3, seed=0)
    assert images.shape == (3, 8, 8, 1)
    assert images.dtype == np.uint8


@pytest.mark.parametrize(
    ("kind", "solver"),
    [
        *[("generator", solver) for solver in ("euler", "midpoint", "heun", "rk4", "ddim", "ddpm", "dpmpp_2m")],
        *[("generator", solver) for solver in ("unipc", "euler_maruyama")],
        *[("diffusion_generator", solver) for solver in ("euler", "midpoint", "ddim", "ddpm", "unipc")],
    ],
)
def test_image_i_is_the_same_whatever_the_batch(kind: str, solver: str, request: pytest.FixtureRequest) -> None:
    one = request.getfixturevalue(kind)
    together = one.sample(40, seed=7, solver=solver, steps=3)
    later = one.sample(35, seed=7, solver=solver, steps=3, first_index=4, batch_size=8)
    difference = np.abs(together[4:39].astype(int) - later.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 0.001
    assert np.array_equal(together, one.sample(40, seed=7, solver=solver, steps=3))
    assert not np.array_equal(together, one.sample(40, seed=8, solver=solver, steps=3))


@pytest.mark.parametrize(
    ("solver", "grid", "calls"),
    [
        ("euler", "uniform", 6),
        ("midpoint", "shifted", 12),
        ("heun", "cosine", 12),
        ("rk4", "uniform", 24),
        ("ddim", "uniform", 6),
        ("ddpm", "uniform", 6),
        ("dpmpp_2m", "uniform", 6),
        ("unipc", "uniform", 6),
        ("euler_maruyama", "uniform", 6),
        ("edm", "edm", 11),
        ({"name": "edm", "churn": 2}, "edm", 11),
    ],
)
def test_network_calls_are_counted(generator: Generator, solver: Choice, grid: str, calls: int) -> None:
    seen = []
    handle = generator.network.register_forward_hook(lambda *_: seen.append(1))
    sampler = SamplerConfig(solver=solver, steps=6, grid=grid)
    _, nfe = generator.with_sampler(sampler).sample_float(2, 0)
    assert nfe == len(seen) == calls
    _, nfe = generator.with_sampler(sampler.model_copy(update={"guidance": 2.0})).sample_float(2, 0)
    assert nfe == len(seen) - calls == 2 * calls
    handle.remove()


def test_guidance_doubles_the_calls_inside_its_interval_only(generator: Generator) -> None:
    sampler = SamplerConfig(solver="euler", steps=10, guidance=2.0, guidance_interval=(0.25, 0.55))
    guided, nfe = generator.with_sampler(sampler).sample_float(2, 0)
    assert nfe == 10 + 3  # at t = 0.3, 0.4 and 0.5
    plain, _ = generator.with_sampler(SamplerConfig(solver="euler", steps=10)).sample_float(2, 0)
    assert not torch.equal(guided, plain)


def test_heun_stops_before_diffusions_infinite_slope(diffusion_generator: Generator) -> None:
    assert diffusion_generator.sample(1, seed=0, solver="heun", steps=2).shape == (1, 8, 8, 1)


def test_a_diffusion_model_is_sampled_along_the_straight_path(diffusion_generator: Generator) -> None:
    """DDIM along its own path and Euler along the straight one go to the same place."""
    own = diffusion_generator.with_sampler(SamplerConfig(solver="ddim", steps=200)).sample(4, seed=0)
    straight = SamplerConfig(solver="euler", steps=200, path="cond_ot", grid="edm")
    changed = diffusion_generator.with_sampler(straight).sample(4, seed=0)
    assert np.abs(own.astype(int) - changed.astype(int)).mean() < 2
    assert np.abs(own.astype(int) - own[::-1].astype(int)).mean() > 10


@pytest.mark.parametrize("solver", ["ddim", "euler", "dpmpp_2m", "edm"])
def test_every_target_can_be_sampled_from_every_path(solver: str) -> None:
    for path in ("cond_ot", "variance_preserving", "ddpm", "cosine", "edm", {"name": "polynomial", "n": 2}):
        for target in ("data", "v", "edm"):
            one = tiny_generator(path, target).with_sampler(SamplerConfig(solver=solver, steps=4, grid="edm"))
            x, _ = one.sample_float(2, 0)
            assert torch.isfinite(x).all(), (path, target)


def test_labels_go_in_turn_and_matter(generator: Generator) -> None:
    in_turn = generator.sample(12, seed=0)
    assert np.array_equal(in_turn, generator.sample(12, seed=0, labels=[i % 10 for i in range(12)]))
    assert not np.array_equal(in_turn, generator.sample(12, seed=0, labels=[10] * 12))
    assert np.array_equal(in_turn[:2], generator.sample(2, seed=0, labels=["0", 1]))
    with pytest.raises(ValueError, match="no label 11"):
        generator.sample(1, seed=0, labels=[11])
    with pytest.raises(ValueError, match="2 labels for 1 images"):
        generator.sample(1, seed=0, labels=[1, 2])


@pytest.mark.parametrize("label", [3, "3"])
def test_one_label_is_not_a_list_of_them(generator: Generator, label: Any) -> None:
    with pytest.raises(ValueError, match=rf"^labels = {label!r}: must be one for each image, as \[{label!r}\] \* 4$"):
        generator.sample(4, seed=0, labels=label)


def test_a_folder_that_cannot_be_used_is_refused(generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="is missing"):
        Generator.load(tmp_path / "nowhere")
    generator.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"version": 3}))
    with pytest.raises(GeneratorError, match="newer version"):
        Generator.load(tmp_path)
    for wrong, says in (
        ({"network": {"name": "unet", "depth": 3}}, "network: .*'unet' has no option 'depth'"),
        ({"network": {"name": "unet", "patch_size": 3}}, "asks for what cannot be made: .*patch_size 3"),
        ({"path": {"name": "edm", "sigma_max": -1.0}}, "path: .*sigma_max = -1.0: must be a number above 0"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | wrong))
        with pytest.raises(GeneratorError, match=says):
            Generator.load(tmp_path)
    generator.save(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(GeneratorError, match="damaged"):
        Generator.load(tmp_path)


OWN_PATH = """
from fm.paths import Path

class Squared(Path):
    power: float = 2.0

    def alpha(self, t):
        return t**self.power

    def sigma(self, t):
        return 1 - t
"""


def test_what_is_ones_own_is_imported_only_for_who_names_it(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_paths.py").write_text(OWN_PATH)
    monkeypatch.syspath_prepend(str(tmp_path))
    generator.save(tmp_path / "theirs")
    file = tmp_path / "theirs" / "config.json"
    config = json.loads(file.read_text())
    assert config["needs"] == []
    file.write_text(json.dumps(config | {"path": {"name": "their_paths:Squared", "power": 3.0}}))

    with pytest.raises(GeneratorError, match=r'Generator.load\(folder, own=\["their_paths:Squared"\]\)'):
        Generator.load(tmp_path / "theirs")
    assert "their_paths" not in sys.modules
    loaded = Generator.load(tmp_path / "theirs", own=["their_paths:Squared"])
    assert "Squared(power=3.0)" in repr(loaded.path)
    loaded.save(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "config.json").read_text())["needs"] == ["their_paths:Squared"]
    again = Generator.load(tmp_path / "again")  # it is imported by now
    assert np.array_equal(*(one.sample(2, seed=0, solver="euler") for one in (loaded, again)))
    del sys.modules["their_paths"]


def test_data_are_clipped_to_what_the_codec_says(diffusion_generator: Generator) -> None:
    for name in ("ddim", "ddpm", "dpmpp_2m"):
        by_codec = diffusion_generator.sample(2, seed=0, solver={"name": name, "clip": "codec"})
        assert np.array_equal(by_codec, diffusion_generator.sample(2, seed=0, solver={"name": name, "clip": 1}))
        assert not np.array_equal(by_codec, diffusion_generator.sample(2, seed=0, solver=name))


AUTOGUIDED = SamplerConfig(solver="euler", steps=3, guidance={"by": "snapshot", "scale": 2, "number": 2})


def with_weaker(sampler: SamplerConfig = AUTOGUIDED) -> Generator:
    """A generator whose sampler leads away from a network of other weights."""
    generator = tiny_generator().with_sampler(sampler)
    generator.weaker = {2: tiny_generator(seed=1).network}
    return generator


def test_a_sampler_leads_away_from_a_weaker_network() -> None:
    """With scale 2 by as much as the two differ, here along one step, under the same labels."""
    one_step = AUTOGUIDED.model_copy(update={"steps": 1})
    guided, nfe = with_weaker(one_step).sample_float(4, 0)
    assert nfe == 2
    plain = SamplerConfig(solver="euler", steps=1)
    strong, _ = tiny_generator().with_sampler(plain).sample_float(4, 0)
    weak, _ = tiny_generator(seed=1).with_sampler(plain).sample_float(4, 0)
    torch.testing.assert_close(guided, weak + 2 * (strong - weak), rtol=1e-5, atol=1e-5)
    assert float((strong - weak).abs().max()) > 0.01


def test_guidance_leads_away_from_a_negative(generator: Generator) -> None:
    guided = generator.adjusted(guidance=2.0, solver="euler")
    three = guided.away_from("3")

    def made(by: Generator, labels: list[int]) -> torch.Tensor:
        return by.sample_float(3, 0, labels)[0]

    assert torch.equal(made(guided.away_from(None), [1, 2, 4]), made(guided, [1, 2, 4]))
    assert torch.equal(made(three, [3, 3, 3]), made(generator.adjusted(solver="euler"), [3, 3, 3]))
    assert not torch.allclose(made(three, [1, 2, 4]), made(guided, [1, 2, 4]), atol=1e-4)
    with pytest.raises(ValueError, match="no label 'x'"):
        guided.away_from("x").sample(1, 0)


def test_a_negative_that_nothing_leads_away_from_is_refused(generator: Generator) -> None:
    with pytest.raises(ValueError, match=r"^'3' is to be led away from, but ddim leads away from nothing: give it a"):
        generator.away_from("3").sample(1, 0)
    with pytest.raises(ValueError, match=r"^'3' is to be led away from, but .*snapshot2 leads away from a snapshot$"):
        with_weaker(AUTOGUIDED).away_from("3").sample(1, 0)


def test_the_scale_of_guidance_is_changed_and_what_it_leads_away_from_stays() -> None:
    generator = with_weaker()
    assert generator.adjusted(guidance=3).config.sampler.label == "euler-guidance3-snapshot2"
    three = SamplerConfig(solver="euler", steps=3, guidance={"by": "snapshot", "scale": 3, "number": 2})
    assert np.array_equal(generator.sample(2, 0, guidance=3), with_weaker(three).sample(2, 0))
    assert np.array_equal(generator.sample(2, 0, guidance=1), tiny_generator().sample(2, 0, solver="euler", steps=3))


def test_a_saved_generator_has_the_weaker_network_with_it(tmp_path: Path) -> None:
    with_weaker().save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"config.json", "model.safetensors", "weak.safetensors"}
    assert np.array_equal(Generator.load(tmp_path).sample(3, 5), with_weaker().sample(3, 5))
    (tmp_path / "weak.safetensors").unlink()
    with pytest.raises(GeneratorError, match=r"is no generator: .*weak\.safetensors is missing"):
        Generator.load(tmp_path)


def test_without_the_weaker_network_nothing_is_drawn_or_written(tmp_path: Path) -> None:
    alone = tiny_generator().with_sampler(AUTOGUIDED)
    says = "euler-guidance2-snapshot2: guidance leads away from snapshot 2, whose network is not there"
    with pytest.raises(ValueError, match=says):
        alone.sample(1, 0)
    with pytest.raises(GeneratorError, match=f"is not written: {says}"):
        alone.save(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_weaker_network_of_another_size_is_refused(tmp_path: Path) -> None:
    with_weaker().save(tmp_path)
    tiny_generator(label_names=["one"]).save(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(tmp_path / "weak.safetensors")
    with pytest.raises(GeneratorError, match=r"config\.json and weak\.safetensors do not fit"):
        Generator.load(tmp_path)
