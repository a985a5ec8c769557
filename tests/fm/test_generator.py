import json
from pathlib import Path

import numpy as np
import pytest

import fm
from fm.generator import Generator, GeneratorError


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


def test_format(generator: Generator) -> None:
    images = generator.sample(3, seed=0)
    assert images.shape == (3, 8, 8, 1)
    assert images.dtype == np.uint8


@pytest.mark.parametrize(
    ("kind", "solver"),
    [
        *[("generator", solver) for solver in ("euler", "midpoint", "heun", "ddim", "ddpm")],
        *[("diffusion_generator", solver) for solver in ("euler", "midpoint", "ddim", "ddpm")],
    ],
)
def test_image_i_is_the_same_whatever_the_batch(kind: str, solver: str, request: pytest.FixtureRequest) -> None:
    one = request.getfixturevalue(kind)
    together = one.sample(12, seed=7, solver=solver, steps=3)
    later = one.sample(5, seed=7, solver=solver, steps=3, first_index=4, batch_size=2)
    difference = np.abs(together[4:9].astype(int) - later.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 0.001
    assert np.array_equal(together, one.sample(12, seed=7, solver=solver, steps=3))
    assert not np.array_equal(together, one.sample(12, seed=8, solver=solver, steps=3))


@pytest.mark.parametrize(("solver", "calls"), [("euler", 6), ("midpoint", 12), ("ddim", 6), ("ddpm", 6)])
def test_network_calls_are_counted(generator: Generator, solver: str, calls: int) -> None:
    seen = []
    handle = generator.network.register_forward_hook(lambda *_: seen.append(1))
    _, nfe = generator.sample_float(2, 0, solver=solver, steps=6)
    assert nfe == len(seen) == calls
    _, nfe = generator.sample_float(2, 0, solver=solver, steps=6, guidance=2.0)
    assert nfe == len(seen) - calls == 2 * calls
    handle.remove()


def test_heun_asks_for_a_velocity_that_diffusion_does_not_have(diffusion_generator: Generator) -> None:
    with pytest.raises(ValueError, match="slope is infinite"):
        diffusion_generator.sample(1, seed=0, solver="heun", steps=2)


def test_labels_go_in_turn_and_matter(generator: Generator) -> None:
    in_turn = generator.sample(12, seed=0)
    assert np.array_equal(in_turn, generator.sample(12, seed=0, labels=[i % 10 for i in range(12)]))
    assert not np.array_equal(in_turn, generator.sample(12, seed=0, labels=[10] * 12))
    with pytest.raises(ValueError, match="no label 11"):
        generator.sample(1, seed=0, labels=[11])
    with pytest.raises(ValueError, match="2 labels for 1 images"):
        generator.sample(1, seed=0, labels=[1, 2])


def test_a_folder_that_cannot_be_used_is_refused(generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="is missing"):
        Generator.load(tmp_path / "nowhere")
    generator.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"version": 2}))
    with pytest.raises(GeneratorError, match="newer version"):
        Generator.load(tmp_path)
    generator.save(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(GeneratorError, match="damaged"):
        Generator.load(tmp_path)
