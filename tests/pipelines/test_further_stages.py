"""Stages that dvc.yaml has only where settings ask for them."""

from typing import Any

import pytest
import yaml

from fm.errors import UserError
from pipelines import params
from pipelines.further_stages import with_stages
from pipelines.inputs.resolved import Resolver, names
from pipelines.project import ROOT
from tests.pipelines.params.written import CONTENT, changed

TEXT = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
PLAIN = params.parse(CONTENT)
OF_TEXT = params.parse(changed("dataset.condition", "text"))


def stages(settings: params.Params) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(with_stages(TEXT, settings))["stages"]
    return found


def test_they_come_and_go() -> None:
    assert with_stages(TEXT, PLAIN) == TEXT
    text = with_stages(TEXT, OF_TEXT)
    assert with_stages(text, OF_TEXT) == text
    assert with_stages(text, PLAIN) == TEXT


def test_what_is_trained_on_captions_comes_after_they_are_encoded() -> None:
    plain, of_text = stages(PLAIN), stages(OF_TEXT)
    assert list(of_text) == ["resolve", "prepare", "features", "encode", "train", "evaluate", "compare"]
    assert of_text["encode"]["outs"] == ["data/encoded"]
    for name, stage in of_text.items():
        if name not in ("encode", "train", "compare"):
            assert stage == plain[name]
    assert set(of_text["train"]["do"]["deps"]) - set(plain["train"]["do"]["deps"]) == {"data/encoded"}
    assert set(of_text["compare"]["deps"]) - set(plain["compare"]["deps"]) == {"data/encoded", "metrics/encode.json"}


def test_latents_have_a_codec_made_before_pictures_are_encoded() -> None:
    of_latents = changed("codec.kind", "latents")
    settings = params.parse(of_latents)
    text = with_stages(TEXT, settings)
    assert with_stages(text, settings) == text
    assert with_stages(text, PLAIN) == TEXT
    assert with_stages(text, OF_TEXT) == with_stages(TEXT, OF_TEXT)
    found = yaml.safe_load(text)["stages"]
    assert list(found) == ["resolve", "prepare", "features", "codec", "encode", "train", "evaluate", "compare"]
    assert found["codec"]["deps"] == ["artifacts/features", "artifacts/inputs/codec.json", "data/prepared"]
    assert found["codec"]["outs"] == ["artifacts/codec"]
    assert set(found["encode"]["deps"]) == {*stages(OF_TEXT)["encode"]["deps"], "artifacts/codec"}
    of_latents["dataset"]["condition"] = "text"
    assert with_stages(TEXT, params.parse(of_latents)) == text


def test_another_graph_is_left_alone_and_cannot_have_them() -> None:
    other = TEXT.replace("  train:\n", "  fit:\n")
    assert with_stages(other, PLAIN) == other
    with pytest.raises(UserError, match="not as it comes with the project, so it cannot have the stage encode"):
        with_stages(other, OF_TEXT)


def test_inputs_are_those_of_the_condition() -> None:
    assert "encode" not in list(names(PLAIN))
    assert "encode" in list(names(OF_TEXT))
    unconditional = params.parse(changed("dataset.condition", "none"))
    found = {}
    for what, settings in (("labels", PLAIN), ("text", OF_TEXT), ("none", unconditional)):
        resolver = Resolver(ROOT, settings)
        found[what] = {name: resolver.inputs(name) for name in ("features", "train@diffusion", "evaluate@diffusion")}
    assert found["none"]["features"] == found["labels"]["features"]
    assert (
        found["text"]["features"].settings["encoder"] == "minilm"
    )  # for those who judge whether captions are followed
    for other in ("text", "none"):
        assert found[other]["train@diffusion"].settings != found["labels"]["train@diffusion"].settings
        assert found[other]["evaluate@diffusion"].settings != found["labels"]["evaluate@diffusion"].settings
    reads_text = found["text"]["train@diffusion"].code.keys() - found["labels"]["train@diffusion"].code.keys()
    assert "fm/text/minilm.py" in reads_text
