import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from fm.couplings import COUPLINGS
from fm.metrics.extractors import EXTRACTORS
from fm.names import COUPLINGS as COUPLING_NAMES
from fm.names import PATHS as PATH_NAMES
from fm.names import SOLVERS, TARGETS, TIMESTEPS, WEIGHTS
from fm.objectives import TIMESTEPS as TIMESTEP_FUNCTIONS
from fm.objectives import WEIGHTS as WEIGHT_FUNCTIONS
from fm.paths import PATHS
from fm.solvers import ETA, ODE_STEPS
from pipelines import params

CONTENT = yaml.safe_load((Path(__file__).resolve().parents[2] / "params.yaml").read_text())


def changed(key: str, value: Any) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    *parents, last = key.split(".")
    section = content
    for parent in parents:
        section = section[parent]
    section[last] = value
    return content


@pytest.mark.parametrize("name", ["fashion-mnist", "digits"])
def test_the_datasets_name_alone_is_a_working_change(name: str) -> None:
    settings = params.parse(changed("dataset.name", name))
    left = [
        key
        for section in ("dataset", "network", "train", "evaluate", "register_")
        for key, value in getattr(settings, section)
        if value is None
    ]
    assert left == []


def test_what_is_given_stands() -> None:
    assert params.parse(changed("train.images_seen", 1280)).train.images_seen == 1280


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("train.lerning_rate", 1, "params.yaml: train.lerning_rate: there is no such setting"),
        ("train.learning_rate", -1, "params.yaml: train.learning_rate = -1: input should be greater than 0"),
        ("evaluate.sets", "many", "params.yaml: evaluate.sets = 'many': input should be a valid integer"),
        ("dataset.name", "cifar", "params.yaml: dataset.name = 'cifar': input should be 'fashion-mnist' or 'digits'"),
        (
            "methods.diffusion.objective.path",
            "vp",
            "params.yaml: methods.diffusion.objective.path = 'vp': must be one of cond_ot, variance_preserving, ddpm",
        ),
        ("methods", {}, "params.yaml: methods = {}: dictionary should have at least 1 item"),
        ("train.images_seen", 5, "params.yaml: the file: train.images_seen (5) must be at least train.batch_size"),
        ("methods.a-b", CONTENT["methods"]["diffusion"], "params.yaml: methods: a method's name has letters, digits"),
    ],
)
def test_a_mistake_is_one_line_with_key_value_and_what_is_allowed(key: str, value: Any, line: str) -> None:
    with pytest.raises(params.ParamsError) as raised:
        params.parse(changed(key, value))
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


def test_every_mistake_is_told() -> None:
    content = changed("train.seed", -1)
    content["evaluate"]["sets"] = 1
    with pytest.raises(params.ParamsError, match=r"train\.seed = -1.*\n.*evaluate\.sets = 1"):
        params.parse(content)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(params.ParamsError, match="is missing"):
        params.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(params.ParamsError, match="not YAML"):
        params.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(params.ParamsError, match=r"params\.yaml"):
        params.load(tmp_path / "params.yaml")


def test_the_names_are_those_of_the_library() -> None:
    assert tuple(PATHS) == PATH_NAMES
    assert tuple(COUPLINGS) == COUPLING_NAMES
    assert tuple(TIMESTEP_FUNCTIONS) == TIMESTEPS
    assert tuple(WEIGHT_FUNCTIONS) == WEIGHTS
    assert (*ODE_STEPS, *ETA) == SOLVERS
    assert set(TARGETS) == {"velocity", "data", "noise", "score"}
    assert set(EXTRACTORS) == {"classifier"}
