"""What people see of the deployments on Prefect's pages: which there are, and what their forms offer."""

import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.utilities.callables import parameter_schema

from flows import generate, settings, workers
from flows.asked import asked
from pipelines import params
from pipelines.project import ROOT

DEPLOYMENTS: dict[str, dict[str, Any]] = {
    one["name"]: one for one in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
}


def form(name: str) -> dict[str, Any]:
    """The fields of a deployment's form."""
    file, _, flow = DEPLOYMENTS[name]["entrypoint"].partition(":")
    module = import_module(file.removesuffix(".py").replace("/", "."))
    return parameter_schema(getattr(module, flow).fn).model_dump()["properties"]


def offered(field: dict[str, Any]) -> list[str] | None:
    return next((one["enum"] for one in field["anyOf"] if "enum" in one), None)


@pytest.mark.parametrize("name", ["pipeline", "generate"])
def test_a_queue_is_chosen_from_a_list(name: str) -> None:
    assert offered(form(name)["queue"]) == ["cpu", "gpu"]


@pytest.mark.parametrize(
    ("field", "folder"), [("recipe", "recipes"), ("dataset", "pipelines/defaults"), ("rows", "methods")]
)
def test_what_is_chosen_is_one_of_those_there_are(field: str, folder: str) -> None:
    there = sorted(file.stem for file in (ROOT / folder).iterdir())
    asked = form("pipeline")[field]
    assert offered(asked) == there or offered({"anyOf": [one.get("items", {}) for one in asked["anyOf"]]}) == there


def test_what_is_chosen_on_the_form_is_said_as_overrides_would_say_it(tmp_path: Path) -> None:
    file = Path(shutil.copy(ROOT / params.FILE, tmp_path))
    settings.override(file, asked({"train.seed": 7}, "digits", ["edm", "ot_cfm"]))
    changed = params.load(file)
    assert (changed.dataset.name, changed.train.seed) == ("digits", 7)
    assert list(changed.methods) == ["flow_matching", "diffusion", "edm", "ot_cfm"]


def test_an_override_stands_above_the_lists_of_the_form() -> None:
    assert asked({"dataset.name": "cifar10"}, "digits", None) == {"dataset.name": "cifar10"}
    assert asked(None, None, None) == {}


def test_what_runs_start_by_themselves_comes_after_what_is_for_people() -> None:
    internal = [name for name, one in DEPLOYMENTS.items() if one.get("tags") == ["internal"]]
    assert sorted(internal) == sorted(each.partition("/")[2] for each in (workers.DEPLOYMENT, generate.DEPLOYMENT))
    assert sorted(DEPLOYMENTS)[-len(internal) :] == sorted(internal)  # the page lists them by name
