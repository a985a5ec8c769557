"""What people see of the deployments on Prefect's pages: which there are, and what their forms offer."""

from importlib import import_module
from typing import Any

import pytest
import yaml
from prefect.utilities.callables import parameter_schema

from flows import generate, workers
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


def test_a_recipe_is_chosen_from_those_there_are() -> None:
    assert offered(form("pipeline")["recipe"]) == sorted(file.stem for file in (ROOT / "recipes").iterdir())


def test_what_runs_start_by_themselves_comes_after_what_is_for_people() -> None:
    internal = [name for name, one in DEPLOYMENTS.items() if one.get("tags") == ["internal"]]
    assert sorted(internal) == sorted(each.partition("/")[2] for each in (workers.DEPLOYMENT, generate.DEPLOYMENT))
    assert sorted(DEPLOYMENTS)[-len(internal) :] == sorted(internal)  # the page lists them by name
