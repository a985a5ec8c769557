"""Loading from a store, in another process, is in test_register.py."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from fm.generator import Generator
from pipelines.project import ROOT
from pipelines.served_model import ServedGenerator
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


def predict(served: ServedGenerator, labels: list[str], **params: Any) -> np.ndarray:
    return served.predict(None, pd.DataFrame({"label": labels}), params)


def test_images_are_the_generators_own(served: ServedGenerator, generator: Generator) -> None:
    images = predict(served, ["7", "all"], num_samples=3, seed=4, steps=2)
    assert (images.shape, images.dtype) == ((6, 8, 8, 1), np.uint8)
    assert np.array_equal(images[:3], generator.sample(3, 4, [7] * 3, steps=2))
    assert np.array_equal(images[3:], generator.sample(3, 4, steps=2, first_index=3))


def test_what_is_not_given_is_the_default(served: ServedGenerator, generator: Generator) -> None:
    expected = generator.sample(1, 0, [2])
    assert np.array_equal(predict(served, ["2"]), expected)
    assert np.array_equal(predict(served, ["2"], num_samples=None, seed=None, steps=None), expected)
    assert np.array_equal(predict(served, ["2"], num_samples=1.0), expected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"num_samples": 1.5}, "num_samples must be a whole number and at least 1, not 1.5"),
        ({"num_samples": 0}, "num_samples must be a whole number and at least 1, not 0"),
        ({"num_samples": True}, "not True"),
        ({"num_samples": float("inf")}, "not inf"),
        ({"num_samples": float("nan")}, "not nan"),
        ({"num_samples": "3"}, "not '3'"),
        ({"seed": -1}, "seed must be a whole number and at least 0, not -1"),
        ({"steps": 0}, "steps must be a whole number and at least 1, not 0"),
    ],
)
def test_impossible_params(served: ServedGenerator, params: dict[str, Any], message: str) -> None:
    with pytest.raises(MlflowException, match=message) as caught:
        predict(served, ["1"], **params)
    assert caught.value.get_http_status_code() == 400


def test_no_row(served: ServedGenerator) -> None:
    with pytest.raises(MlflowException, match="no row"):
        predict(served, [])


@pytest.mark.parametrize(
    ("label", "number"), [("Bag", 2), ("bag", 2), ("T-SHIRT/top", 0), ("1", 1), ("all", None), ("ALL", None)]
)
def test_labels_by_name_and_number(label: str, number: int | None) -> None:
    assert named(*GARMENTS).number(label) == number


def test_a_name_goes_before_a_number() -> None:
    assert named("5", "4", "3", "2").number("3") == 2


@pytest.mark.parametrize("label", ["3", "-1", "1.0", "", "Coat", "²"])
def test_an_unknown_label_lists_the_labels(label: str) -> None:
    garments = named(*GARMENTS)
    with pytest.raises(MlflowException, match=r"the labels are 0 \(T-shirt/top\), 1 \(Trouser\), 2 \(Bag\), and 'all'"):
        garments.number(label)


def test_it_needs_nothing_of_this_package() -> None:
    code = (ROOT / "pipelines" / "served_model.py").read_text()
    assert "from pipelines" not in code
    assert "import pipelines" not in code
