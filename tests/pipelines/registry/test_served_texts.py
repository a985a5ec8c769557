"""A served model that knows texts, and one that does not and is asked for some."""

import base64
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from PIL import Image

from fm.config import SamplerConfig
from fm.generator import Generator
from fm.text import CLIP, EncoderError
from pipelines.registry import model_version
from pipelines.registry.served_model import ServedGenerator, signature
from tests.fm.conftest import tiny_generator
from tests.fm.text.tiny import HOSTILE, text_generator, tiny_encoder

EXAMPLES = ("the left bar", "a blue star")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="module")
def generator(encoder: Path) -> Generator:
    return text_generator(encoder, EXAMPLES)


@pytest.fixture(scope="module")
def served(generator: Generator, tmp_path_factory: pytest.TempPathFactory) -> ServedGenerator:
    folder = tmp_path_factory.mktemp("served")
    generator.save(folder)
    model = ServedGenerator()
    model.load_context(SimpleNamespace(artifacts={"generator": str(folder)}))
    return model


def asked(served: ServedGenerator, given: Any, **params: Any) -> Any:
    return served.predict(None, given, params)


def refusal(served: ServedGenerator, given: Any, **params: Any) -> str:
    with pytest.raises(MlflowException) as raised:
        asked(served, given, **params)
    assert raised.value.get_http_status_code() == 400
    return str(raised.value.message)


# What MLflow makes of the bodies that people send.
@pytest.mark.parametrize(
    "given",
    [
        [{"prompt": "a red heart"}, {"prompt": "the star"}],
        ["a red heart", "the star"],
        np.array(["a red heart", "the star"]),
        {"prompt": ["a red heart", "the star"]},
        {"prompt": np.array(["a red heart", "the star"])},
        pd.DataFrame({"prompt": ["a red heart", "the star"]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_images_of_each_prompt(served: ServedGenerator, generator: Generator, given: Any) -> None:
    made = asked(served, given, num_samples=2, seed=4)
    expected = generator.sample(4, 4, ["a red heart"] * 2 + ["the star"] * 2)
    assert np.array_equal(made, expected)


def test_each_row_has_a_negative_of_its_own(served: ServedGenerator, generator: Generator) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "the star", "negative": "blue"},
        {"prompt": "the star"},
        {"prompt": "the star", "negative": None},
    ]
    blue, red, none = (generator.away_from(one) for one in ("blue", "red", None))
    expected = [one.sample(1, 0, ["the star"], first_index=row) for row, one in enumerate((blue, red, red))]
    assert np.array_equal(asked(served, rows, negative="red"), np.concatenate(expected))
    expected[1:] = [none.sample(1, 0, ["the star"], first_index=row) for row in (1, 2)]
    for given in (rows, pd.DataFrame(rows), {"prompt": "the star", "negative": ["blue", None, None]}):
        assert np.array_equal(asked(served, given), np.concatenate(expected))


def test_a_row_without_a_prompt_takes_that_of_the_params_or_the_examples_in_turn(
    served: ServedGenerator, generator: Generator
) -> None:
    assert np.array_equal(asked(served, [{}], prompt="the star"), generator.sample(1, 0, ["the star"]))
    assert np.array_equal(asked(served, [{}], num_samples=3), generator.sample(3, 0))
    assert np.array_equal(asked(served, [{"prompt": ""}]), generator.sample(1, 0, [None]))


def test_the_answer_says_which_texts_were_taken(served: ServedGenerator) -> None:
    told = asked(served, [{"prompt": text} for text in HOSTILE], format="labelled")
    assert [one["prompt"] for one in told] == [*HOSTILE]
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(told[0]["png"]))))
    assert image.shape == (8, 8)
    in_turn = asked(served, [{}, {"prompt": ""}], num_samples=2, format="labelled")
    assert [one["prompt"] for one in in_turn] == [*EXAMPLES, "", ""]


def test_what_cannot_be_asked_for(served: ServedGenerator) -> None:
    for given, params, message in (
        ([{"prompt": "a" * 10_001}], {}, "prompt: a text of 10,001 characters is asked for: 10,000 at most"),
        ([{"negative": "a" * 10_001}], {}, "negative: a text of 10,001 characters is asked for: 10,000 at most"),
        ([{}], {"prompt": "a" * 10_001}, "prompt: a text of 10,001 characters is asked for: 10,000 at most"),
        ([{"prompt": 3}], {}, "prompt: 3 is asked for: must be a text"),
        ([{"prompt": ["a", "b"]}], {}, "prompt: ['a', 'b'] is asked for: must be a text"),
        ([{"prompt": "a \ud800"}], {}, r"prompt: 'a \ud800' is asked for, which is no text: surrogates not allowed"),
        ([{"label": "cat"}], {}, "label: this model knows no label; it has the column 'prompt'"),
        ([{}], {"label": "all"}, "label: this model knows no label; it has the column 'prompt'"),
        (
            [{"promt": "a"}],
            {},
            "the input has no column 'promt': 'prompt' and 'negative' are the only ones, all else",
        ),
        ([], {}, "the input has no row; give one for each prompt, or one without any: [{}]"),
        ({"prompt": ["a", "b"], "negative": ["c"]}, {}, "the input's columns must be of one length, and are of [1, 2]"),
        (["a"] * 11, {"num_samples": 100}, "11 rows of 100 images are too many: a request may ask for 1000 in all"),
        (["a"] * 1001, {}, "1001 rows of 1 images are too many: a request may ask for 1000 in all"),
    ):
        assert refusal(served, given, **params).startswith(message)
    nothing = refusal(served, [{"negative": "b\n<script>"}], guidance=1)
    assert nothing.startswith(r"'b\n<script>' is to be led away from, but euler leads away from nothing")


@pytest.mark.parametrize("labels", [("cat", "dog"), ()])
def test_a_model_that_knows_no_text(labels: tuple[str, ...]) -> None:
    model = ServedGenerator()
    model.generator = tiny_generator(label_names=labels)
    for name in ("prompt", "negative"):
        message = f"{name}: this model knows no text; it has the column 'label'"
        assert refusal(model, [{name: "a red heart"}]) == message
        assert refusal(model, [{}], **{name: "a red heart"}) == message


def test_what_is_asked_by_is_in_the_signature(generator: Generator) -> None:
    params = {one.name: one.default for one in signature(generator.codec, generator.conditioner).params.params}
    assert (params["prompt"], params["negative"], params["label"]) == (None, None, None)
    assert model_version.example(generator) == {"prompt": EXAMPLES[0]}
    assert model_version.example(tiny_generator()) == {"label": "0"}
    assert model_version.example(tiny_generator(label_names=())) == {}


def test_what_reads_texts_is_among_the_packages_that_it_needs(generator: Generator) -> None:
    def packages(one: Generator) -> set[str]:
        return {requirement.partition("==")[0] for requirement in model_version.requirements(one)}

    assert packages(generator) - packages(tiny_generator()) == {"tokenizers"}
    choice = {**generator.config.conditioner, "encoder": CLIP("somewhere").choice}  # type: ignore[dict-item]
    by_clip = Generator(generator.config.model_copy(update={"conditioner": choice}), generator.network)
    assert packages(by_clip) - packages(tiny_generator()) == {"tokenizers", "transformers"}


def test_a_model_whose_encoder_is_not_to_be_had_is_not_loaded(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where it was looked for; and the encoder is no part of the model's files."""
    folder = tiny_encoder(tmp_path / "encoder")
    text_generator(folder).save(tmp_path / "generator")
    assert {path.name for path in (tmp_path / "generator").iterdir()} == {"config.json", "model.safetensors"}
    folder.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("FM_ENCODERS", str(tmp_path / "kept"))
    context = SimpleNamespace(artifacts={"generator": str(tmp_path / "generator")})
    missing = f"^text encoder {folder}: there is no such folder, and no {tmp_path / 'kept' / 'encoder'} "
    with pytest.raises(EncoderError, match=missing):
        ServedGenerator().load_context(context)
    (tmp_path / "kept").mkdir()
    (tmp_path / "elsewhere").rename(tmp_path / "kept" / "encoder")
    ServedGenerator().load_context(context)


def test_guidance_leads_away_from_the_negative_alone(served: ServedGenerator, generator: Generator) -> None:
    sampler = SamplerConfig(solver="euler", steps=2, guidance=3.0)
    expected = generator.with_sampler(sampler).away_from("blue").sample(1, 0, ["the star"])
    made = asked(served, [{"prompt": "the star", "negative": "blue"}], guidance=3)
    assert np.array_equal(made, expected)
