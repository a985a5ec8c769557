import copy
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from fm.batches import Examples
from fm.config import SamplerConfig
from fm.data import prepared
from fm.data.splits import Splits
from fm.data.writing import write
from fm.errors import UserError
from pipelines import methods, params
from pipelines.project import ROOT
from pipelines.rehearsal import rehearse
from tests.fm.conftest import tiny_generator


def test_a_sampler_that_cannot_run_is_told_before_anything_is_spent() -> None:
    fine = SamplerConfig(solver="edm", grid="edm", steps=2)
    rehearse("mine", tiny_generator(), [fine])
    impossible = SamplerConfig(solver="edm", steps=2)
    with pytest.raises(UserError, match=r"methods\.mine\.samplers: edm with 2 steps: .*start where alpha > 0"):
        rehearse("mine", tiny_generator(), [fine, impossible])


def test_a_quantity_that_the_path_does_not_have_is_told() -> None:
    with pytest.raises(UserError, match="data cannot be recovered from noise at a t where alpha = 0"):
        rehearse("mine", tiny_generator("cond_ot", "noise"), [SamplerConfig(solver="ddim", steps=2)])


@pytest.fixture
def dataset(tmp_path: Path) -> prepared.Prepared:
    images, labels = np.zeros((4, 28, 28, 1), dtype=np.uint8), np.zeros(4, dtype=np.int64)
    write(tmp_path, Splits(images, labels, images, labels, ("a",), "nowhere"), "digits")
    return prepared.Prepared.open(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "samplers",
            [{"solver": "edm", "path": "cond_ot", "steps": [10]}],
            r"samplers: edm-path_cond_ot with 10 steps: .*start where alpha > 0",
        ),
        (
            "samplers",
            [{"solver": "ddim", "steps": [10]}, {"solver": "jump", "steps": [1]}],
            r"methods\.diffusion\.samplers: jump with 1 steps: jump needs a network that is told where",
        ),
        ("network", {"kind": "unet", "patch_size": 5}, r"methods\.diffusion: .*5"),
        ("objective", {"target": "noise", "path": "cond_ot"}, "data cannot be recovered from noise"),
    ],
)
def test_what_is_wrong_with_the_last_method_is_told_before_the_first_is_trained(
    dataset: prepared.Prepared, key: str, value: object, says: str
) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["methods"]["edm"] = yaml.safe_load((ROOT / "methods" / "edm.yaml").read_text())
    before = copy.deepcopy(content)
    row = content["methods"]["diffusion"]
    row[key] = {**row[key], **value} if key == "objective" else value  # type: ignore[dict-item]
    state, started = torch.get_rng_state(), time.process_time()
    try_all(before, dataset)
    assert torch.equal(torch.get_rng_state(), state)
    assert time.process_time() - started < 10
    with pytest.raises(UserError, match=says):
        try_all(content, dataset)


def test_only_a_network_that_is_told_where_a_step_ends_can_jump(dataset: prepared.Prepared) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    row = content["methods"]["flow_matching"]
    row["samplers"].append({"solver": "jump", "steps": [1]})
    with pytest.raises(
        UserError,
        match=r"methods\.flow_matching\.samplers: jump with 1 steps: jump needs a network that is told where a step "
        "ends, which this one is not: the objectives mean_flow and shortcut train one",
    ):
        try_all(content, dataset)
    row["objective"] = {"name": "mean_flow", "path": "cond_ot", "coupling": "independent", "timesteps": "uniform"}
    try_all(content, dataset)


@pytest.mark.parametrize(
    ("sampler", "says"),
    [
        ({"solver": "ddpm", "steps": 50}, "ddpm with 50 steps: ddpm draws noise of its own at every step"),
        ({"solver": {"name": "ddim", "eta": 0.5}, "steps": 5}, "ddim-eta0.5 with 5 steps: .* draws noise of its own"),
        ({"solver": "jump", "steps": 1}, "jump with 1 steps: jump needs a network that is told where a step ends"),
        ({"solver": "edm", "steps": 5}, "edm with 5 steps: .*start where alpha > 0"),
        ({"solver": "dopri5", "steps": 1}, None),
        ({"solver": "heun", "steps": 5, "guidance": 2, "path": "cosine"}, None),
    ],
)
def test_the_sampler_of_pairs_is_tried_on_the_network_that_makes_them(
    dataset: prepared.Prepared, sampler: dict[str, object], says: str | None
) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    row = yaml.safe_load((ROOT / "methods" / "rectified_flow.yaml").read_text())
    content["methods"]["rectified_flow"] = row | {"pairs": {**sampler, "count": 10}}
    if says is None:
        try_all(content, dataset)
        return
    with pytest.raises(UserError, match=rf"params\.yaml: methods\.rectified_flow\.pairs: {says}"):
        try_all(content, dataset)


def test_a_network_of_seven_billion_weights_is_rehearsed_in_no_time(dataset: prepared.Prepared) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["network"] |= {"kind": "transformer", "width": 4096, "blocks": 23, "heads": 32, "patch_size": 2}
    started = time.process_time()
    try_all(content, dataset)
    assert time.process_time() - started < 10


def try_all(content: object, dataset: prepared.Prepared) -> None:
    methods.try_all(methods.build(params.parse(content), Examples.of(dataset)).values())
