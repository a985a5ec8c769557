"""What a setting's value may be."""

from typing import Any, get_args

import pytest

from pipelines import params
from pipelines.params.sections import NO_STRATEGIES, Strategy
from tests.pipelines.params.written import CONTENT, changed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.gradient_clip", float("inf")),
        ("train.learning_rate", float("nan")),
        ("train.seed", True),
        ("evaluate.sets", False),
        ("methods.diffusion.samplers", [{"solver": "ddim", "steps": [0]}]),
        ("methods.diffusion.samplers", [{"solver": "ddim", "steps": [10**9]}]),
        ("methods.diffusion.samplers", [{"solver": "ddim", "steps": [True]}]),
        ("methods.diffusion.samplers", [{"solver": "ddim", "steps": [5], "guidance": float("inf")}]),
        ("methods.diffusion.samplers", [{"solver": "ddim", "steps": [5], "guidance_interval": [float("nan"), 1]}]),
        ("methods.diffusion.samplers", [{"solver": 3, "steps": [5]}]),
        ("train.accelerator", "cpuu"),
        ("train.precision", 33),
        ("train.strategy", "dpp"),
        ("train.devices", 0),
        ("train.devices", "two"),
        ("train.devices", []),
    ],
)
def test_no_number_is_what_it_cannot_be(key: str, value: Any) -> None:
    with pytest.raises(params.ParamsError) as raised:
        params.parse(changed(key, value))
    assert str(raised.value).startswith(f"params.yaml: {key}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("devices", [1, 8, -1, "auto", "2", "0,1", [0, 3]])
def test_devices_as_lightning_takes_them(devices: Any) -> None:
    assert params.parse(changed("train.devices", devices)).train.devices == devices


def test_the_strategies_are_lightnings() -> None:
    from lightning.pytorch.strategies import StrategyRegistry

    known = set(StrategyRegistry.available_strategies())
    assert set(get_args(Strategy)) - {"auto"} <= known
    assert NO_STRATEGIES.keys() <= known


@pytest.mark.parametrize("strategy", NO_STRATEGIES)
def test_a_strategy_that_cannot_work_is_refused_with_one_that_can(strategy: str) -> None:
    with pytest.raises(
        params.ParamsError, match=rf"^params.yaml: train.strategy: '{strategy}': .*(ddp|fsdp)"
    ) as raised:
        params.parse(changed("train.strategy", strategy))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        ({"storage": "shards"}, "storage: 'shards': digits is prepared as arrays alone; set it to auto"),
        ({"store": "/tmp/x"}, "store: '/tmp/x': must be s3://bucket/prefix, or null for data/prepared"),
        ({"store": 3}, "store: 3: must be s3://bucket/prefix, or null for data/prepared"),
        ({"shard_megabytes": 1e-7}, "shard_megabytes: 1e-07: must be at least 6.4e-05, what an image takes"),
        (
            {"shard_megabytes": 2000, "window_megabytes": 1e-7},
            "window_megabytes: 1e-07: must be at least shard_megabytes, 2000.0: windows have whole shards",
        ),
    ],
)
def test_shards_are_of_files_and_as_large_as_an_image_and_no_larger_than_a_window(
    dataset: dict[str, Any], says: str
) -> None:
    content = changed("dataset.name", "digits")
    content["dataset"] |= dataset
    with pytest.raises(params.ParamsError) as raised:
        params.parse(content)
    assert str(raised.value) == f"params.yaml: dataset.{says}"


@pytest.mark.parametrize("name", ["image-folder", "parquet", "webdataset"])
def test_files_are_prepared_as_shards_too(name: str) -> None:
    content = changed("dataset.name", name)
    content["dataset"] |= {"storage": "shards", "store": "s3://bucket/pictures"}
    assert params.parse(content).dataset.storage == "shards"


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ({"ours": "diffusion"}, "not 'diffusion' as ours and baseline"),
        ({"ours": "edm"}, "not 'edm' as ours and stronger"),
        ({"over": "x", "further": "x"}, "not 'x' as over and further"),
        ({"stronger": "x", "over": "x"}, "not 'x' as stronger and over"),
    ],
)
def test_roles_are_different_methods(roles: dict[str, str], says: str) -> None:
    content = changed("compare.ours", "flow_matching")
    content["compare"] |= roles
    with pytest.raises(
        params.ParamsError,
        match=f"compare: ours, baseline, stronger, over and further: must be different methods, {says}",
    ):
        params.parse(content)


def test_settings_without_roles_mean_what_they_meant_before_there_were_any() -> None:
    older = {key: section for key, section in CONTENT.items() if key != "compare"}
    assert params.parse(older) == params.parse(CONTENT)
