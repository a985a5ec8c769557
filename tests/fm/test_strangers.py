"""A config.json that a stranger made runs no code."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fm.generator import Generator, GeneratorError

FOLDER = Path(__file__).parent / "generators" / "flow_matching"
EVIL = "raise SystemExit('the code of a stranger ran')"


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], Path]:
    """A generator's folder whose config.json has another value at a dotted key; a module `evil` can be imported."""
    (tmp_path / "evil.py").write_text(EVIL)
    (tmp_path / "evil_package").mkdir()
    (tmp_path / "evil_package" / "__init__.py").write_text(EVIL)
    monkeypatch.syspath_prepend(tmp_path)

    def changed(key: str, value: Any) -> Path:
        folder = tmp_path / "model"
        shutil.copytree(FOLDER, folder)
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        *parents, last = key.split(".")
        section = content
        for parent in parents:
            section = section[parent]
        section[last] = value
        (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
        return folder

    return changed


NAMES = ["evil:Path", "evil_package.paths:Squared", {"name": "evil:Path", "power": 2}, "evil:run"]


@pytest.mark.parametrize("key", ["path", "target", "network.kind"])
@pytest.mark.parametrize("name", NAMES)
def test_what_its_model_is_made_of_is_not_imported(changed: Callable[[str, Any], Path], key: str, name: Any) -> None:
    with pytest.raises(GeneratorError) as raised:
        Generator.load(changed(key, name))
    assert "\n" not in str(raised.value)
    assert not [module for module in sys.modules if module.startswith("evil")]


@pytest.mark.parametrize("name", NAMES)
def test_nor_what_reads_its_prompts(changed: Callable[[str, Any], Path], name: Any) -> None:
    folder = changed("target", "velocity")
    Generator.load(folder).save(folder)  # in the present version, which has conditioners
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    content["conditioner"] = {"name": "text", "encoder": name, "width": 4, "empty": ""}
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(GeneratorError, match="evil"):
        Generator.load(folder)
    assert not [module for module in sys.modules if module.startswith("evil")]


@pytest.mark.parametrize("key", ["sampler.solver", "sampler.grid", "sampler.path"])
@pytest.mark.parametrize("name", NAMES)
def test_nor_what_it_is_sampled_with(changed: Callable[[str, Any], Path], key: str, name: Any) -> None:
    with pytest.raises((GeneratorError, ValueError), match="evil"):
        Generator.load(changed(key, name)).sample(1, seed=0)
    assert not [module for module in sys.modules if module.startswith("evil")]


@pytest.mark.parametrize("name", ["os:system", "builtins:exec", "subprocess:Popen", "fm.generator:Generator"])
@pytest.mark.parametrize("key", ["path", "sampler.solver"])
def test_what_is_there_already_is_not_called(changed: Callable[[str, Any], Path], key: str, name: str) -> None:
    with pytest.raises((GeneratorError, ValueError), match=r"no path|no solver|has no class|cannot be made"):
        Generator.load(changed(key, name)).sample(1, seed=0)


@pytest.mark.parametrize("key", ["path", "target", "network", "codec", "conditioner", "sampler.grid"])
def test_nor_is_what_a_folder_of_now_names(changed: Callable[[str, Any], Path], key: str) -> None:
    folder = changed("version", 1)
    Generator.load(folder).save(folder)
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert content["version"] == 2
    section, _, last = key.rpartition(".")
    (content[section] if section else content)[last] = {"name": "evil:Thing", "stored": [1]}
    (folder / "config.json").write_text(json.dumps({**content, "needs": []}), encoding="utf-8")
    with pytest.raises(GeneratorError, match="needs evil:Thing, not of the library"):
        Generator.load(folder)
    assert "evil" not in sys.modules


def test_the_user_is_told_what_to_name(changed: Callable[[str, Any], Path]) -> None:
    with pytest.raises(GeneratorError, match=r'if you trust it, import evil first, or name .* own=\["evil:Path"\]'):
        Generator.load(changed("path", "evil:Path"))


def test_a_network_that_its_weights_do_not_fit_is_not_made(
    changed: Callable[[str, Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could be larger than the memory."""
    folder = changed("network.width", 4096)
    monkeypatch.setattr(Generator, "untrained", None)
    with pytest.raises(
        GeneratorError, match=r"config.json and model.safetensors do not fit: .* is \(.*\), not \(.*\)$"
    ):
        Generator.load(folder)
