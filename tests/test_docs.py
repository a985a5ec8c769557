"""What the documentation shows works."""

import re
from pathlib import Path

import pytest
import yaml

from fm.component_tables import with_tables
from fm.components import HOMES, Option, Part, known, options_of
from pipelines.params import Sampler

ROOT = Path(__file__).resolve().parent.parent
METHODS = (ROOT / "docs/methods.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", METHODS, re.DOTALL))
def test_every_snippet_runs(code: str) -> None:
    exec(compile(code, "docs/methods.md", "exec"), {"__name__": "docs"})


def test_every_sampler_shown_is_one() -> None:
    rows = re.findall(r"^    - (\{solver.*\})$", METHODS, re.MULTILINE)
    assert len(rows) == 5
    for row in rows:
        Sampler.model_validate(yaml.safe_load(row))


def test_every_kind_has_a_table_and_the_tables_are_those_of_the_components() -> None:
    assert [kind for kind in HOMES if f"<!-- table: {kind} -->" not in METHODS] == []
    assert with_tables(METHODS) == METHODS, "make schema makes them anew"


@pytest.mark.parametrize("kind", HOMES)
def test_every_component_says_what_it_is(kind: str) -> None:
    silent = [name for name, component in known(kind).items() if not component.says]
    assert not silent
    options = [option for component in known(kind).values() for option in options_of(component).values()]
    assert not [f"{option.of}: {option.name}" for option in options if not option.says and not is_part(option)]


def is_part(option: Option) -> bool:
    return isinstance(option.reader, Part)


def test_every_row_of_methods_is_listed() -> None:
    for file in (ROOT / "methods").glob("*.yaml"):
        assert f"`{file.stem}`" in METHODS
