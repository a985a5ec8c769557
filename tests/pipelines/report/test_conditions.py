"""What the first page says is the same for all methods."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines import params
from pipelines.params.network import Network
from pipelines.project import ROOT
from pipelines.report import markdown, render
from pipelines.report.conditions import ALIKE, Conditions, conditions
from pipelines.schemas.train import Before
from tests.pipelines.report.made_up import TWO, training
from tests.pipelines.report.test_report import contents

METHODS = params.load(ROOT / "params.yaml").methods
BEFORE = Before(method="flow_matching", images_seen=64_000, seconds=100.0)


def found(row: dict[str, Any] | None = None, ours: str = "flow_matching", **trained: Any) -> Conditions:
    """Of flow matching, and of another like it but for what is given."""
    other = METHODS["flow_matching"].model_copy(update=row or {})
    methods = {"flow_matching": METHODS["flow_matching"], "few_steps": other}
    train = {"flow_matching": training(), "few_steps": training().model_copy(update=trained)}
    return conditions(methods, train, ours)


def test_alike_but_for_the_objective() -> None:
    assert found() == ALIKE


def test_a_row_that_goes_on_from_another_has_seen_more_images() -> None:
    says = "few steps goes on from flow matching: 128,000 images instead of 64,000"
    assert found(before=BEFORE) == Conditions("same network", [says])


def test_a_row_that_goes_on_from_a_folder_has_cost_what_is_not_known() -> None:
    says = "few steps goes on from starts/mine, whose own training is not counted"
    assert found({"start_from": "starts/mine"}) == Conditions("same network", [says])


@pytest.mark.parametrize(
    ("ours", "row", "trained", "says"),
    [
        ("flow_matching", {}, {"parameters": 20_000}, "few steps has 20,000 parameters instead of 12,345"),
        ("few_steps", {}, {"parameters": 20_000}, "flow matching has 12,345 parameters instead of 20,000"),
        ("gone", {}, {"flops": 2 * 10**6}, "few steps has 2,000,000 operations a call instead of 1,000,000"),
        ("gone", {"network": Network.model_validate({"kind": "unet", "width": 8})}, {}, "few steps has one of its own"),
    ],
)
def test_networks_that_differ(ours: str, row: dict[str, Any], trained: dict[str, Any], says: str) -> None:
    assert found(row, ours, **trained) == Conditions("same budget", [f"networks differ: {says}"])


def test_nothing_is_called_the_same_where_both_differ() -> None:
    both = found(parameters=20_000, before=BEFORE)
    assert both.same == ""
    assert both.first_line("digits", "one training each") == (
        "digits, one training each; networks differ: few steps has 20,000 parameters instead of 12,345; "
        "few steps goes on from flow matching: 128,000 images instead of 64,000"
    )


def test_page_and_text_say_it_beside_the_headline(tmp_path: Path) -> None:
    alike = contents(tmp_path, TWO)
    gone_on = replace(alike, conditions=found(before=BEFORE))
    for made in (render, markdown):
        assert "digits, same network and budget, one training each" in made(alike)
        text = made(gone_on)
        assert "digits, same network, one training each; few steps goes on from flow matching: 128,000 images" in text
        assert "same network and budget" not in text.split("fid_classifier")[0]
