"""Loading from a store, in another process, is in test_register.py."""

import base64
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException
from PIL import Image
from safetensors.torch import save_file

from fm.errors import UserError
from fm.generator import Generator
from pipelines.project import ROOT
from pipelines.registry.served_model import ServedGenerator
from tests.fm.conftest import tiny_generator

GARMENTS = ["T-shirt/top", "Trouser", "Bag"]


@pytest.fixture
def generator() -> Generator:
    return tiny_generator()


@pytest.fixture
def served(generator: Generator, tmp_path: Path) -> ServedGenerator:
    generator.save(tmp_path)
    model = ServedGenerator()
    model.load_context(SimpleNamespace(artifacts={"generator": str(tmp_path)}))
    return model


def named(*label_names: str) -> ServedGenerator:
    """A model of these labels."""
    model = ServedGenerator()
    model.generator = tiny_generator(label_names=label_names)
    return model


def predict(served: ServedGenerator, labels: list[str], **params: Any) -> Any:
    return served.predict(None, pd.DataFrame({"label": labels}), params)


def test_images_are_the_generators_own(served: ServedGenerator, generator: Generator) -> None:
    images = predict(served, ["7", "all"], num_samples=3, seed=4, steps=2)
    assert (images.shape, images.dtype) == ((6, 8, 8, 1), np.uint8)
    assert np.array_equal(images[:3], generator.sample(3, 4, [7] * 3, steps=2))
    assert np.array_equal(images[3:], generator.sample(3, 4, steps=2, first_index=3))


def test_a_model_that_cannot_make_images_is_not_loaded(
    served: ServedGenerator, generator: Generator, tmp_path: Path
) -> None:
    """It would answer with black ones and status 200."""
    weights = {name: torch.full(value.shape, torch.nan) for name, value in generator.network.state_dict().items()}
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="not finite"):
        ServedGenerator().load_context(SimpleNamespace(artifacts={"generator": str(tmp_path)}))

    with torch.no_grad():  # finite weights, but images beyond all bounds
        for value in served.generator.network.parameters():
            value.fill_(1e30)
    with pytest.raises(MlflowException, match="makes data that are not finite") as refused:
        predict(served, ["7"])
    assert refused.value.get_http_status_code() == 400


def test_what_is_not_given_is_the_default(served: ServedGenerator, generator: Generator) -> None:
    expected = generator.sample(1, 0, [2])
    assert np.array_equal(predict(served, ["2"]), expected)
    assert np.array_equal(predict(served, ["2"], num_samples=None, seed=None, steps=None), expected)
    assert np.array_equal(predict(served, ["2"], num_samples=1.0), expected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"num_samples": 1.5}, "num_samples must be a whole number from 1 to 1000, not 1.5"),
        ({"num_samples": 0}, "num_samples must be a whole number from 1 to 1000, not 0"),
        ({"num_samples": 1_000_000}, "from 1 to 1000, not 1000000"),
        ({"num_samples": 600}, "2 rows of 600 images are too many: a request may ask for 1000 in all"),
        ({"guidance": 0}, "guidance must be a number above 0, at most 100, not 0; 1 means none"),
        ({"guidance": float("nan")}, "not nan"),
        ({"guidance": "much"}, "not 'much'"),
        ({"format": "gif"}, "format must be array or png or labelled, not 'gif'"),
        ({"steps": 1001}, "steps must be a whole number from 1 to 1000, not 1001"),
        ({"num_samples": True}, "not True"),
        ({"num_samples": float("inf")}, "not inf"),
        ({"num_samples": float("nan")}, "not nan"),
        ({"num_samples": "3"}, "not '3'"),
        ({"seed": -1}, "seed must be a whole number from 0 to 9223372036854775807, not -1"),
        ({"steps": 0}, "steps must be a whole number from 1 to 1000, not 0"),
    ],
)
def test_impossible_params(served: ServedGenerator, params: dict[str, Any], message: str) -> None:
    with pytest.raises(MlflowException, match=message) as caught:
        predict(served, ["1", "2"], **params)
    assert caught.value.get_http_status_code() == 400


def test_guidance_is_the_generators(served: ServedGenerator, generator: Generator) -> None:
    expected = generator.sample(2, 0, [2, 2], guidance=3.0)
    assert np.array_equal(predict(served, ["2"], num_samples=2, guidance=3), expected)


def test_png_files(served: ServedGenerator) -> None:
    arrays = predict(served, ["2"], num_samples=3)
    files = predict(served, ["2"], num_samples=3, format="png")
    decoded = [np.asarray(Image.open(io.BytesIO(base64.b64decode(file)))) for file in files]
    assert np.array_equal(np.stack(decoded)[..., np.newaxis], arrays)


@pytest.mark.parametrize("table", [[{}], [{"label": None}], [{"label": float("nan")}]])
def test_a_row_without_a_label_takes_that_of_the_params(served: ServedGenerator, table: list[dict[str, Any]]) -> None:
    rows = pd.DataFrame(table)
    assert np.array_equal(served.predict(None, rows, {"label": "7"}), predict(served, ["7"]))
    assert np.array_equal(served.predict(None, rows, {}), predict(served, ["all"]))


def test_a_generator_without_labels() -> None:
    unlabelled = named()
    assert unlabelled.predict(None, pd.DataFrame([{}]), {"num_samples": 2}).shape == (2, 8, 8, 1)
    with pytest.raises(MlflowException, match="no label '3': this model has no labels; leave it out or say 'all'"):
        unlabelled.predict(None, pd.DataFrame([{}]), {"label": "3"})
    with pytest.raises(MlflowException, match=r"guidance2: guidance leads away from .*: leave it at 1"):
        unlabelled.predict(None, pd.DataFrame([{}]), {"guidance": 2})


# What MLflow makes of the bodies that people send.
INPUTS = [
    ([{"label": "7"}, {"label": 2}], ["7", "2"]),
    ([{"label": np.array(7)}, {"label": np.array("2")}], ["7", "2"]),
    (np.array(["7", "2"]), ["7", "2"]),
    ({"label": np.array([7, 2])}, ["7", "2"]),
    ({"label": np.array("7")}, ["7"]),
    ({"label": ["7", "2"]}, ["7", "2"]),
    (np.array("7"), ["7"]),
    ([{}, {"label": 2}], ["all", "2"]),
    ([{}, {}], ["all", "all"]),
    ({}, ["all"]),
    (pd.DataFrame([{"label": 7}, {}]), ["7", "all"]),
]


@pytest.mark.parametrize(("given", "labels"), INPUTS, ids=lambda value: str(value)[:40])
def test_every_form_of_input(served: ServedGenerator, given: Any, labels: list[str]) -> None:
    assert np.array_equal(served.predict(None, given, {"steps": 1}), predict(served, labels, steps=1))


@pytest.mark.parametrize("given", [[], {"label": []}, pd.DataFrame(), np.array(None)], ids=str)
def test_no_row(served: ServedGenerator, given: Any) -> None:
    with pytest.raises(MlflowException, match="the input has no row; give one for each label"):
        served.predict(None, given, {})


@pytest.mark.parametrize("given", [[{"lable": "7"}], {"lable": ["7"]}, pd.DataFrame({"lable": ["7"]})], ids=str)
def test_an_unknown_column_is_not_passed_over(served: ServedGenerator, given: Any) -> None:
    with pytest.raises(MlflowException, match="no column 'lable': 'label' is the only one"):
        served.predict(None, given, {})


@pytest.mark.parametrize(
    ("label", "name"),
    [
        *[("Bag", "Bag"), ("bag", "Bag"), ("T-SHIRT/top", "T-shirt/top"), ("1", "Trouser"), (1, "Trouser")],
        *[(2.0, "Bag"), ("all", None), ("ALL", None)],
    ],
)
def test_labels_by_name_and_number(label: object, name: str | None) -> None:
    assert named(*GARMENTS).asked(label) == name


@pytest.mark.parametrize("label", [2, 2.0, "2", "02"])
def test_a_number_names_the_label_of_that_value(label: object) -> None:
    numbered = named("01", "02", "03", "04")
    assert numbered.asked(label) == "02"
    (told,) = numbered.predict(None, [{"label": label}], {"format": "labelled"})
    assert told["label"] == "02"
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(told["png"]))))
    assert np.array_equal(image[..., np.newaxis], numbered.generator.sample(1, 0, [1])[0])


def test_the_answer_says_which_labels_were_taken() -> None:
    told = named(*GARMENTS).predict(None, [{"label": 1}, {}], {"format": "labelled", "num_samples": 2})
    assert [one["label"] for one in told] == ["Trouser", "Trouser", "Bag", "T-shirt/top"]
    assert named().predict(None, [{}], {"format": "labelled"})[0]["label"] is None


def test_a_label_may_be_called_all() -> None:
    model = named("some", "All")
    assert model.asked("all") == "All"
    told = model.predict(None, [{}], {"label": "all", "num_samples": 2, "format": "labelled"})
    assert [one["label"] for one in told] == ["some", "All"]


@pytest.mark.parametrize("label", ["3", "-1", "1.0", "", "Coat", "²"])
def test_an_unknown_label_lists_the_labels(label: str) -> None:
    garments = named(*GARMENTS)
    with pytest.raises(MlflowException, match=r"the labels are 0 \(T-shirt/top\), 1 \(Trouser\), 2 \(Bag\), and 'all'"):
        garments.asked(label)


def test_it_needs_nothing_of_this_package() -> None:
    code = (ROOT / "pipelines" / "registry" / "served_model.py").read_text()
    assert "from pipelines" not in code
    assert "import pipelines" not in code
