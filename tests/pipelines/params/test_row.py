"""A row of `methods`: what each of its words may be."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fm import components
from fm.components import Option
from fm.options import Either, Number, OneOf
from pipelines import params
from pipelines.project import ROOT
from tests.fm.conftest import tiny_generator
from tests.pipelines.params.written import changed

METHODS = ROOT / "methods"


EVERY = [
    pytest.param(kind, name, option, id=f"{kind}-{name}-{option.name}")
    for kind in ("path", "timesteps", "target", "weight", "solver", "grid")
    for name, component in components.known(kind).items()
    for option in components.options_of(component).values()
]
NUMBERS = [one for one in EVERY if not isinstance(one.values[2].reader, OneOf)]
WORDS = [one for one in EVERY if isinstance(one.values[2].reader, OneOf)]
KEYS = {
    **{kind: f"methods.diffusion.objective.{kind}" for kind in ("path", "timesteps", "target", "weight")},
    **dict.fromkeys(("solver", "grid"), "methods.diffusion.samplers"),
}


def with_option(kind: str, name: str, option: str, value: Any) -> dict[str, Any]:
    choice = {"name": name, option: value}
    if kind in ("solver", "grid"):
        return changed(KEYS[kind], [{"solver": "ddim", "steps": [5], **{kind: choice}}])
    return changed(KEYS[kind], choice)


def number_in(option: Option) -> Number:
    readers = option.reader.readers if isinstance(option.reader, Either) else [option.reader]
    return next(reader for reader in readers if isinstance(reader, Number))


@pytest.mark.parametrize(("kind", "name", "option"), NUMBERS)
def test_no_option_is_what_it_cannot_be(kind: str, name: str, option: Option) -> None:
    number = number_in(option)
    wrong = [float("nan"), float("inf"), -float("inf"), "three", "nan", "", [1], {"a": 1}, True, -1000]
    wrong += [number.bounds.most * 2]
    wrong += [None] if option.default is not None else []
    wrong += [number.bounds.above] if number.bounds.above is not None else []
    wrong += [1.5] if number.whole else []
    for value in wrong:
        with pytest.raises(params.ParamsError) as raised:
            params.parse(with_option(kind, name, option.name, value))
        assert str(raised.value).startswith(f"params.yaml: {KEYS[kind]}")
        assert f"{kind} {name!r}: {option.name} = " in str(raised.value)
        assert str(raised.value).endswith(f"must be {option.reader}")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("kind", "name", "option"), NUMBERS)
def test_every_option_within_its_bounds_can_be_said(kind: str, name: str, option: Option) -> None:
    most = number_in(option).bounds.most
    for value in (most, str(most)):
        params.parse(with_option(kind, name, option.name, value))


@pytest.mark.parametrize(("kind", "name", "option"), WORDS)
def test_a_word_is_one_of_those_that_there_are(kind: str, name: str, option: Option) -> None:
    assert isinstance(option.reader, OneOf)
    for value in option.reader.values:
        params.parse(with_option(kind, name, option.name, value))
    for value in (option.reader.values[0] + "x", 3, None, [1]):
        with pytest.raises(params.ParamsError, match=f"{name!r}: {option.name} = .*: must be one of ") as raised:
            params.parse(with_option(kind, name, option.name, value))
        assert "\n" not in str(raised.value)


def test_an_option_that_is_null_is_one_that_is_left_out() -> None:
    row = {"solver": {"name": "ddim", "clip": None}, "steps": [5]}
    (sampler,) = params.parse(changed("methods.diffusion.samplers", [row])).methods["diffusion"].samplers
    assert (sampler.solver, sampler.label) == ("ddim", "ddim")
    with pytest.raises(params.ParamsError, match="ddim with 5 steps is there twice"):
        params.parse(changed("methods.diffusion.samplers", [row, {"solver": "ddim", "steps": [5]}]))


def test_a_number_that_yaml_reads_as_text_is_one() -> None:
    row = yaml.safe_load("{solver: {name: dopri5, tolerance: 1e-5}, steps: [1]}")
    (sampler,) = params.parse(changed("methods.diffusion.samplers", [row])).methods["diffusion"].samplers
    assert sampler.solver == {"name": "dopri5", "tolerance": 1e-5}


@pytest.mark.parametrize(
    ("row", "there", "not_there"),
    [
        ({"solver": "midpoint", "steps": [5]}, {10}, {5}),
        ({"solver": "rk4", "steps": [5], "guidance": 2}, {40}, {20}),
        ({"solver": "euler", "steps": [5], "guidance": 2, "guidance_interval": [0.2, 0.6]}, {5, 7, 10}, {4, 11}),
        ({"solver": {"name": "edm", "churn": 2}, "grid": "edm", "steps": [5]}, {9}, {10}),
        ({"solver": "unipc", "steps": [5], "guidance": {"by": "snapshot", "scale": 2}}, {10}, {5}),
        ({"solver": "dopri5", "steps": [1]}, {1, 10, 500}, set()),
    ],
)
def test_a_samplers_evaluations_are_known_before(row: dict[str, Any], there: set[int], not_there: set[int]) -> None:
    found = params.Sampler.model_validate(row).evaluations()
    assert there <= found
    assert not not_there & found
    generator = tiny_generator()
    generator.weaker = {1: generator.network}
    (_, nfe) = generator.with_sampler(params.Sampler.model_validate(row).each()[0]).sample_float(1, 0)
    assert nfe in found


@pytest.mark.parametrize("file", sorted(METHODS.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_rows_kept_in_methods_can_be_added(file: Path) -> None:
    row = yaml.safe_load(file.read_text())
    content = changed(f"methods.{file.stem}", row)
    while (start := row.get("start")) not in (None, *content["methods"]):
        row = content["methods"][start] = yaml.safe_load((METHODS / f"{start}.yaml").read_text())
    assert file.stem in params.parse(content).methods


def test_a_sampler_is_one_for_each_number_of_steps() -> None:
    row = {"solver": {"name": "edm", "churn": 40}, "grid": "edm", "guidance": 1.5, "steps": [3, 5]}
    (sampler,) = params.parse(changed("methods.diffusion.samplers", [row])).methods["diffusion"].samplers
    assert [each.steps for each in sampler.each()] == [3, 5]
    assert sampler.label == "edm-churn40-grid_edm-guidance1.5"


def test_the_noise_is_white_unless_a_row_names_another() -> None:
    """And the row says no more than it did before there was any other."""
    row = params.parse(changed("methods.diffusion.objective.source", "white")).methods["diffusion"]
    assert row == params.parse(changed("methods.diffusion.objective.target", "noise")).methods["diffusion"]
    assert "source" not in row.model_dump()["objective"]
    assert "source" not in row.objective.choice
    chosen = {"name": "spectral", "exponent": -0.5}
    objective = params.parse(changed("methods.diffusion.objective.source", chosen)).methods["diffusion"].objective
    assert objective.choice["source"] == chosen
    assert components.build("objective", objective.choice).source.exponent == -0.5
    with pytest.raises(
        params.ParamsError, match=r"diffusion\.objective\.source: no source 'pink': must be one of white"
    ):
        params.parse(changed("methods.diffusion.objective.source", "pink"))
    with pytest.raises(
        params.ParamsError, match=r"methods\.diffusion: .*source = datum: the pipeline samples from noise"
    ):
        params.parse(changed("methods.diffusion.objective.source", {"name": "datum", "field": "present"}))
