"""A generator's folder, without PyTorch."""

from pathlib import Path

import pytest

from fm.config import SamplerConfig
from fm.generator import Generator
from fm.generator_files import GeneratorError, copy

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


@pytest.mark.parametrize(
    ("missing", "says"), [("config.json", "config.json is missing"), ("model.safetensors", "safetensors is missing")]
)
def test_what_is_no_generator_is_not_copied(generator: Generator, tmp_path: Path, missing: str, says: str) -> None:
    generator.save(tmp_path / "generator")
    (tmp_path / "generator" / missing).unlink()
    with pytest.raises(GeneratorError, match=f"generator is no generator: .*{says}"):
        copy(tmp_path / "generator", tmp_path / "copied", SAMPLER)
