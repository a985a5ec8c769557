"""The JSON schema of params.yaml, which editors know it by."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from flows import settings
from pipelines.params import json_schema
from pipelines.project import ROOT
from tests.pipelines.params.written import CONTENT, NO_SETTING, NO_VALUE, changed

TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    made = json_schema.schema()
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def mistakes(schema: Draft202012Validator, content: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in schema.iter_errors(content)]


def test_the_file_is_current() -> None:
    assert (ROOT / json_schema.FILE).read_text(encoding="utf-8") == json_schema.text(), "`make schema` makes it anew"


def test_editors_are_told_of_it() -> None:
    assert TEXT.splitlines()[0] == f"# yaml-language-server: $schema={json_schema.FILE}"


@pytest.mark.parametrize("dataset", ["fashion-mnist", "digits", "cifar10", "icons", "image-folder", "turbulence"])
def test_what_is_written_passes_nulls_included(schema: Draft202012Validator, dataset: str) -> None:
    assert mistakes(schema, changed("dataset.name", dataset)) == []


@pytest.mark.parametrize("recipe", [file.stem for file in (ROOT / "recipes").glob("*.yaml")])
def test_every_recipe_over_it_passes(schema: Draft202012Validator, recipe: str) -> None:
    content = yaml.safe_load(settings.merged(TEXT, settings.read_recipe(recipe, ROOT), {}))
    assert content != CONTENT
    assert mistakes(schema, content) == []


@pytest.mark.parametrize("file", sorted((ROOT / "methods").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_row_of_methods_passes(schema: Draft202012Validator, file: Path) -> None:
    assert mistakes(schema, changed(f"methods.{file.stem}", yaml.safe_load(file.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("methods.diffusion.objective.path", "own.paths:Squared"),
        ("methods.diffusion.objective.path", {"name": "own.paths:Squared", "power": 3}),
        ("methods.diffusion.objective", {"name": "own.objectives:Huber", "path": "cond_ot", "delta": 2}),
        ("methods.diffusion.network", {"kind": "own.nets:Tiny", "depth": 3, "names": ["a"]}),
        ("methods.diffusion.network", {"kind": None, "width": 64, "heads": None}),
        ("network.kind", "transformer"),
        ("codec.kind", "latents"),
        ("codec.autoencoder", "starts/ours"),
        ("codec.autoencoder", {"kind": "autoencoder_kl", "block_out_channels": [32, 64]}),
        ("codec.autoencoder", {"kind": "own.nets:Autoencoder", "depth": 3}),
        ("evaluate.images", "test_split"),
        ("evaluate.extractor", "extractors/faces.py:embed"),
        ("train.devices", [0, 3]),
        ("train.devices", "0,1"),
        ("train.precision", 32),
    ],
)
def test_what_else_can_be_written_passes(schema: Draft202012Validator, key: str, value: Any) -> None:
    assert mistakes(schema, changed(key, value)) == []


def test_options_are_those_of_the_dataset(schema: Draft202012Validator) -> None:
    content = changed("dataset.name", "turbulence")
    content["dataset"]["options"] = {"side": 16}
    assert mistakes(schema, content) == []
    content["dataset"]["name"] = "own.data:Waves"
    assert mistakes(schema, content) == []
    content["dataset"]["name"] = "digits"
    assert mistakes(schema, content)


@pytest.mark.parametrize(("key", "value"), [*NO_SETTING, *NO_VALUE])
def test_what_the_settings_refuse_is_refused(schema: Draft202012Validator, key: str, value: Any) -> None:
    assert mistakes(schema, changed(key, value))


def test_a_setting_that_is_missing_is_refused(schema: Draft202012Validator) -> None:
    content = copy.deepcopy(CONTENT)
    del content["train"]["seed"], content["methods"]["diffusion"]["samplers"]
    assert len(mistakes(schema, content)) == 2
