"""What settings must be to each other."""

from typing import Any

import pytest

from pipelines import params
from tests.pipelines.params.written import changed


def test_a_warm_up_longer_than_half_of_the_training_is_refused() -> None:
    content = changed("train.images_seen", 64 * 128)
    content["train"]["warmup_steps"] = 33
    with pytest.raises(params.ParamsError, match=r"train\.warmup_steps = 33: must be at most half of .* 64 steps"):
        params.parse(content)
    content["train"]["warmup_steps"] = 32
    assert params.parse(content).train.warmup_steps == 32


@pytest.mark.parametrize(
    ("images", "extractor", "least"), [(50, "classifier", 64), (64, "classifier", 64), (None, "inception", 2048)]
)
def test_fewer_images_than_features_are_refused(images: int | None, extractor: str, least: int) -> None:
    content = changed("evaluate.images", images)
    content["evaluate"]["extractor"] = extractor
    with pytest.raises(params.ParamsError, match=rf"images = \d+: must be more than the {least} features of the ext"):
        params.parse(content)


@pytest.mark.parametrize("metric", ["fid", "fid_classifer", "seconds_per_image", ""])
def test_the_deciding_metric_is_one_that_is_measured(metric: str) -> None:
    with pytest.raises(params.ParamsError, match=r"register\.metric = .* one of fid_classifier, .*kid, .*accuracy"):
        params.parse(changed("register.metric", metric))


def test_averages_are_not_kept_of_weights_that_are_divided() -> None:
    content = changed("train.average_lengths", [0.15, 0.1])
    assert params.parse(content).train.average_lengths == [0.1, 0.15]  # 1.5 times, but for rounding
    content = changed("train.average_lengths", [0.1, 0.05])
    assert params.parse(content).train.average_lengths == [0.05, 0.1]
    content["train"]["strategy"] = "fsdp"
    with pytest.raises(params.ParamsError, match=r"average_lengths: must be \[\] with strategy fsdp"):
        params.parse(content)


FLOW = changed("methods.flow_matching.network", {"kind": "transformer", "width": 32})["methods"]["flow_matching"]


def with_rows(**starts: str | None) -> params.Params:
    content = changed("methods.flow_matching", FLOW)
    for name, start in starts.items():
        content["methods"][name] = FLOW | {"network": None, "start": start}
    return params.parse(content)


def test_a_row_that_starts_from_another_has_its_network() -> None:
    rows = with_rows(most="more", more="flow_matching", alone=None).methods
    assert rows["more"].network == rows["most"].network == rows["flow_matching"].network
    assert rows["alone"].network == rows["diffusion"].network != rows["more"].network
    assert rows["more"].model_dump()["start"] == "flow_matching"
    assert {"start", "start_from"}.isdisjoint(rows["alone"].model_dump())


@pytest.mark.parametrize(
    ("starts", "told"),
    [
        ({"more": "flow"}, r"more\.start = 'flow': must be another row: there are flow_matching, diffusion, more$"),
        ({"more": "../methods/edm"}, r"there are flow_matching, diffusion, more$"),
        (
            {"one_step": "rectified_flow"},
            "one_step; methods.rectified_flow=@methods/rectified_flow.yaml adds it$",
        ),
        ({"more": "more"}, r"more\.start: more from more: must start from no row that starts from it"),
        ({"a": "b", "b": "c", "c": "b"}, r"a\.start: a from b from c from b"),
    ],
)
def test_a_row_starts_from_another_that_does_not_start_from_it(starts: dict[str, str], told: str) -> None:
    with pytest.raises(params.ParamsError, match=told):
        with_rows(**starts)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"network": {"kind": "transformer"}}, r"diffusion\.network: must be null, since the network is that of start"),
        ({"start_from": "starts/ours"}, r"diffusion: start_from and start: it can have one beginning"),
    ],
)
def test_a_row_has_one_beginning(row: dict[str, object], told: str) -> None:
    content = changed("methods.diffusion.start", "flow_matching")
    content["methods"]["diffusion"] |= row
    with pytest.raises(params.ParamsError, match=told):
        params.parse(content)


GUIDED = {"samplers": [{"solver": "euler", "steps": [5], "guidance": 1.5}]}
LEARNT = {"objective": {"name": "mean_flow", "path": "cond_ot", "coupling": "independent", "timesteps": "uniform"}}
AWAY_FROM_EARLIER = {"samplers": [{"solver": "euler", "steps": [10], "guidance": {"by": "snapshot", "scale": 2}}]}


def never_without_a_label(**row: Any) -> params.Params:
    """Settings by which no network is trained without its label, and one row is otherwise than it comes."""
    content = changed("train.label_dropout", 0)
    content["train"]["snapshots"] = 1
    content["methods"]["flow_matching"] |= row
    content["methods"]["more"] = FLOW | {"network": None, "start": "flow_matching"}
    return params.parse(content)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (GUIDED, "methods.flow_matching.samplers"),
        ({"objective": LEARNT["objective"] | {"guidance": 2}}, "methods.flow_matching.objective"),
        (
            {"start": "diffusion", "pairs": {"solver": "euler", "steps": 5, "count": 100, "guidance": 2}},
            "methods.flow_matching.pairs",
        ),
    ],
    ids=["sampler", "objective", "pairs"],
)
def test_guidance_leads_away_from_what_is_learnt_alone(row: dict[str, Any], key: str) -> None:
    with pytest.raises(
        params.ParamsError, match=rf"{key}: guidance leads away .*: train\.label_dropout must be above 0"
    ):
        never_without_a_label(**row)


def test_a_network_that_never_saw_no_label_is_guided_otherwise_or_not_at_all() -> None:
    never_without_a_label(**LEARNT)
    never_without_a_label(**AWAY_FROM_EARLIER)
    never_without_a_label(**GUIDED, start_from="starts/ours")  # where it may have been learnt


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ({"precision": "bf16-true"}, "must be auto, 32-true or bf16-mixed, not bf16-true$"),
        ({"precision": "bf16-mixed", "strategy": "fsdp"}, "must be 32-true, not bf16-mixed, with strategy fsdp$"),
        ({"precision": "bf16-mixed"}, None),
    ],
)
def test_differences_are_not_lost_in_weights_of_16_bits(train: dict[str, str], told: str | None) -> None:
    content = changed("methods.flow_matching.objective", LEARNT["objective"])
    content["train"] |= train
    if told is not None:
        with pytest.raises(params.ParamsError, match=rf"methods\.flow_matching\.objective: takes .*\.precision {told}"):
            params.parse(content)
        content["methods"]["flow_matching"]["objective"] = LEARNT["objective"] | {"derivative": "forward"}
    params.parse(content)


def test_pairs_are_not_drawn_under_a_part_of_the_data() -> None:
    content = changed("dataset.condition", "observed")
    pairs = {"solver": "euler", "steps": 5, "count": 100}
    content["methods"]["more"] = content["methods"]["flow_matching"] | {"start": "flow_matching", "pairs": pairs}
    with pytest.raises(params.ParamsError, match=r"methods\.more\.pairs: not with dataset\.condition = observed"):
        params.parse(content)
