"""What the documentation shows works."""

import re
from pathlib import Path

import pytest
import yaml

from fm.components import known, options_of
from pipelines.params import Sampler

ROOT = Path(__file__).resolve().parent.parent
METHODS = (ROOT / "docs/methods.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", METHODS, re.DOTALL))
def test_every_snippet_runs(code: str) -> None:
    exec(compile(code, "docs/methods.md", "exec"), {"__name__": "docs"})


def test_every_sampler_shown_is_one() -> None:
    rows = re.findall(r"^    - (\{solver.*\})$", METHODS, re.MULTILINE)
    assert len(rows) == 3
    for row in rows:
        Sampler.model_validate(yaml.safe_load(row))


@pytest.mark.parametrize("kind", ["path", "coupling", "timesteps", "target", "weight", "solver", "grid"])
def test_every_name_is_explained(kind: str) -> None:
    missing = [name for name in known(kind) if f"`{name}`" not in METHODS]
    assert not missing
    for name, component in known(kind).items():
        for option in options_of(component):
            assert f"`{option}`" in METHODS or option in {"noise_scale"}, f"{name}: {option}"


def test_every_row_of_methods_is_listed() -> None:
    for file in (ROOT / "methods").glob("*.yaml"):
        assert f"`{file.stem}`" in METHODS
