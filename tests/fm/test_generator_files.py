"""A generator's folder, without PyTorch."""

from pathlib import Path

import pytest

from fm.config import SamplerConfig
from fm.generator import Generator
from fm.generator_files import GeneratorError, copy
from tests.fm.conftest import tiny_generator

SAMPLER = SamplerConfig(solver="midpoint", steps=7, guidance=1.5)


def test_a_copy_with_another_sampler_has_the_bytes_of_one_that_was_loaded_and_saved(
    generator: Generator, tmp_path: Path
) -> None:
    generator.save(tmp_path / "generator")
    Generator.load(tmp_path / "generator").with_sampler(SAMPLER).save(tmp_path / "saved")
    copy(tmp_path / "generator", tmp_path / "copied", SAMPLER)
    copied, saved = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("copied", "saved")
    )
    assert copied == saved


def test_a_copy_guided_by_a_weaker_network_has_that_with_it(generator: Generator, tmp_path: Path) -> None:
    guided = SamplerConfig(solver="euler", steps=3, guidance={"by": "snapshot", "scale": 2})
    generator.save(tmp_path / "generator")
    tiny_generator(seed=1).save(tmp_path / "weaker")
    weaker = {1: tmp_path / "weaker"}
    Generator.load(tmp_path / "generator", weaker=weaker).with_sampler(guided).save(tmp_path / "saved")
    copy(tmp_path / "generator", tmp_path / "copied", guided, weaker)
    copied, saved = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("copied", "saved")
    )
    assert copied == saved
    assert "weak.safetensors" in copied
    with pytest.raises(GeneratorError, match=r"other is not written: .* snapshot 1, whose network is not there"):
        copy(tmp_path / "generator", tmp_path / "other", guided)


@pytest.mark.parametrize(
    ("missing", "says"), [("config.json", "config.json is missing"), ("model.safetensors", "safetensors is missing")]
)
def test_what_is_no_generator_is_not_copied(generator: Generator, tmp_path: Path, missing: str, says: str) -> None:
    generator.save(tmp_path / "generator")
    (tmp_path / "generator" / missing).unlink()
    with pytest.raises(GeneratorError, match=f"generator is no generator: .*{says}"):
        copy(tmp_path / "generator", tmp_path / "copied", SAMPLER)
