"""A registered model of texts, asked over HTTP."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fm.generator import Generator
from tests.fm.text.tiny import HOSTILE, text_generator, tiny_encoder
from tests.pipelines.test_serving import Ask, records, serving

EXAMPLES = ("the left bar", "a blue star")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server's folder is."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Generator:
    return text_generator(tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny"), EXAMPLES)


@pytest.fixture(scope="module")
def ask(generator: Generator, folder: Path) -> Iterator[Ask]:
    with serving(generator, folder) as asked:
        yield asked


def test_prompts_and_negatives_of_rows(ask: Ask, generator: Generator) -> None:
    row = {"prompt": "a red heart", "negative": "blue"}
    status, answer = ask(records(row, {"prompt": "the star"}, {}, seed=3, prompt="a bar", negative="left"))
    assert status == 200, answer
    blue, left = generator.away_from("blue"), generator.away_from("left")
    expected = [
        blue.sample(1, 3, ["a red heart"]),
        left.sample(1, 3, ["the star"], first_index=1),
        left.sample(1, 3, ["a bar"], first_index=2),
    ]
    assert np.array_equal(np.array(answer["predictions"]), np.concatenate(expected))


@pytest.mark.parametrize("form", ["inputs", "instances", "dataframe_records"])
def test_every_form_of_request(ask: Ask, generator: Generator, form: str) -> None:
    status, answer = ask({form: [{"prompt": "the star"}, {"prompt": "a bar"}]})
    assert status == 200, answer
    assert np.array_equal(np.array(answer["predictions"]), generator.sample(2, 0, ["the star", "a bar"]))


def test_whatever_a_text_looks_like_it_comes_back_and_is_in_no_log(ask: Ask, folder: Path) -> None:
    there = {path for path in folder.rglob("*") if "mlruns" not in path.parts}
    status, answer = ask(records(*({"prompt": text} for text in HOSTILE), format="labelled"))
    assert status == 200, answer
    assert [one["prompt"] for one in answer["predictions"]] == [*HOSTILE]
    assert Image.open(io.BytesIO(base64.b64decode(answer["predictions"][0]["png"]))).size == (8, 8)
    for text in HOSTILE:  # refused, since nothing is led away from without guidance
        status, answer = ask(records({"prompt": "a star", "negative": text}, guidance=1))
        assert (status, "to be led away from" in json.loads(answer)["message"]) == (400, True)
        assert text not in (folder / "log").read_text()
    assert {path for path in folder.rglob("*") if "mlruns" not in path.parts} == there


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (records({"prompt": "a" * 10_001}), "prompt: a text of 10,001 characters is asked for: 10,000 at most"),
        (records({}, prompt="a" * 10_001), "prompt: a text of 10,001 characters is asked for: 10,000 at most"),
        (records({"prompt": 3}), "prompt: 3 is asked for: must be a text"),
        (records({"label": "cat"}), "label: this model knows no label; it has the column 'prompt'"),
        (records({}, label="cat"), "label: this model knows no label; it has the column 'prompt'"),
        (records(*[{"prompt": "a"}] * 1001), "1001 rows of 1 images are too many"),
        ({"dataframe_records": []}, "the input has no row; give one for each prompt"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_request_is_told_what_is_wrong(ask: Ask, body: object, message: str) -> None:
    status, answer = ask(body)
    assert status == 400, answer
    assert message in json.loads(answer)["message"]
