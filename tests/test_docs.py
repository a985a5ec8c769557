"""What the documentation shows works."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from fm.component_tables import with_tables
from fm.components import HOMES, Option, Part, known, options_of
from pipelines import params
from pipelines.params import Sampler
from tests.pipelines.params.written import CONTENT, changed

ROOT = Path(__file__).resolve().parent.parent
METHODS = (ROOT / "docs/methods.md").read_text()
BEYOND = (ROOT / "docs/beyond-pictures.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", METHODS + BEYOND, re.DOTALL))
def test_every_snippet_runs(code: str) -> None:
    exec(compile(code, "docs", "exec"), {"__name__": "docs"})


def test_every_sampler_shown_is_one() -> None:
    rows = re.findall(r"^    - (\{solver.*\})$", METHODS, re.MULTILINE)
    assert len(rows) == 5
    for row in rows:
        Sampler.model_validate(yaml.safe_load(row))


def test_the_samplers_shown_can_be_those_of_a_row() -> None:
    rows = [yaml.safe_load(row) for row in re.findall(r"^    - (\{solver.*\})$", METHODS, re.MULTILINE)]
    content = changed("methods.flow_matching.samplers", rows)
    content["train"]["snapshots"] = 1
    params.require_nfe(params.parse(content))


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", METHODS, re.DOTALL))
def test_every_row_shown_is_one_that_a_run_takes(block: str) -> None:
    content = copy.deepcopy(CONTENT)
    content["methods"] |= yaml.safe_load(block)
    params.require_nfe(params.parse(content))


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
