import json
import shlex
from dataclasses import replace

import pytest
import yaml

from fm.config import SamplerConfig
from pipelines import params
from pipelines.model_card import Facts, card
from pipelines.project import ROOT
from pipelines.schemas import Evaluation, EvaluationRow
from tests.fm.conftest import tiny_generator


@pytest.fixture
def facts() -> Facts:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["dataset"]["name"] = "digits"
    row = EvaluationRow(
        solver="midpoint", steps=5, sampler=SamplerConfig(solver="midpoint", steps=5), nfe=10,
        distance=12.3456, distance_low=12.0, distance_high=12.7, distance_test=13.0,
        distance_sets=[12.0, 12.7], kid=0.01, kid_low=0.0, kid_high=0.02, precision=0.5, recall=0.4, accuracy=0.876,
        seconds_per_image=0.01,
    )  # fmt: skip
    evaluation = Evaluation(
        extractor="classifier", reference="training split of digits", num_images=100, num_sets=2, confidence=0.95,
        floor=3.0, rows=[row],
    )  # fmt: skip
    config = tiny_generator().config
    return Facts(
        params.parse(content), "diffusion", config, evaluation, row, {"git.commit": "abc"}, 12345, "samples.png"
    )


def test_says_what_it_is_how_good_and_where_from(facts: Facts) -> None:
    page = card(facts)
    assert page.startswith("# digits-generator\n")
    assert "grey images of 8×8 pixels" in page
    assert "**diffusion**, sampled with midpoint" in page
    assert "| fid_classifier | 12.35 (95% interval 12 to 12.7) |" in page
    assert "2 independent sets of 100 images" in page
    assert "| images recognised as the label asked for | 87.6% |" in page
    assert "| git.commit | `abc` |" in page
    assert "models:/digits-generator@champion" in page
    assert "| licence of the images | CC BY 4.0 |" in page
    assert "](samples.png)" in page
    assert "A network of 12,345 weights (kind unet, width 32" in page
    assert "so the distance is not FID" in page


def test_the_request_by_http_is_one_that_the_model_answers(facts: Facts) -> None:
    odd = facts.config.model_copy(update={"label_names": ['it\'s a "bag"', "b"]})
    page = card(replace(facts, config=odd))
    line = next(line for line in page.splitlines() if line.startswith("curl "))
    body = json.loads(shlex.split(line)[-1])
    assert body == {
        "dataframe_records": [{}],
        "params": {"label": 'it\'s a "bag"', "num_samples": 4, "format": "png"},
    }


def test_leaves_out_what_was_not_measured(facts: Facts) -> None:
    assert "recognised as" not in card(replace(facts, row=facts.row.model_copy(update={"accuracy": None})))


def test_a_dataset_without_labels(facts: Facts) -> None:
    page = card(replace(facts, config=facts.config.model_copy(update={"label_names": []})))
    assert "Labels: none." in page
    assert '{"label": ["all"]}' in page
