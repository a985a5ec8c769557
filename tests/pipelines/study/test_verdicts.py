"""Claims over made-up trials with known answers."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm.metrics.intervals import mean_interval
from pipelines.claims import CLAIMS
from pipelines.measurements.judge import MEASUREMENTS
from pipelines.measurements.judge import judge as judge_one_run
from pipelines.measurements.measurement import Measurement
from pipelines.results import Results
from pipelines.schemas import Claim
from pipelines.study.plan import Trial
from pipelines.study.verdicts import Outcome, good_decades, judge, over_seeds
from tests.pipelines.report.made_up import BIAS, DIFFUSION, FLOW, Rows, evaluation, probes, training


def outcome(arm: str, seed: int, methods: Mapping[str, Rows], **overrides: Any) -> Outcome:
    evaluations = {method: evaluation(rows) for method, rows in methods.items()}
    train = {method: training() for method in methods}
    compares = arm == "main"
    results = Results(train, evaluations, probes(dict(methods)), 0.97) if compares else None
    trial = Trial(arm, seed, {}, {"methods": dict.fromkeys(methods), **overrides}, compares)
    return Outcome(trial, train, evaluations, results)


def two_seeds() -> list[Outcome]:
    return [outcome("main", seed, {"flow_matching": FLOW, "diffusion": DIFFUSION}) for seed in (0, 1)]


def judged(*outcomes: Outcome) -> dict[str, Claim]:
    return {claim.id: claim for claim in judge(outcomes)}


def at_ten(distance: float) -> Rows:
    """Whose distance without the bias is this."""
    return [("euler", 5, 5, distance + BIAS), ("euler", 10, 10, distance + BIAS)]


def test_every_claim_is_there_measured_or_with_a_reason() -> None:
    found = judged(*two_seeds())
    assert list(found) == [definition.id for definition in CLAIMS]
    for name in ("transformers", "touchiness", "optimal_transport"):
        assert found[name].verdict == "not_measured"
        assert f"no arm {name}" in found[name].note


def test_intervals_are_over_the_training_seeds() -> None:
    reductions = [0.5, 0.4, 0.6]
    seeds = [
        outcome("main", seed, {"flow_matching": at_ten(10 * (1 - reduction)), "diffusion": at_ten(10)})
        for seed, reduction in enumerate(reductions)
    ]
    found = judged(*seeds)["quality"]
    expected = mean_interval(reductions)
    assert (found.measured, found.low, found.high) == tuple(map(pytest.approx, expected))
    assert found.protocol.startswith("3 training seeds, 95% t-interval over them, no narrower")
    assert "of each: fid_classifier" in found.protocol
    assert found.protocol.startswith("3 training seeds")
    assert "one training seed" not in found.protocol
    assert "Seed by seed: 0.5, 0.4, 0.6." in found.note


def test_seeds_that_agree_by_chance_leave_the_luck_of_sampling() -> None:
    found = judged(*two_seeds())["conditioning"]
    alone = judged_alone().high - judged_alone().low
    assert found.high - found.low == pytest.approx(alone / math.sqrt(2))
    assert found.low < found.measured < found.high


def judged_alone() -> Claim:
    """The same by one training."""
    results = two_seeds()[0].results
    assert results is not None
    return next(claim for claim in judge_one_run(results) if claim.id == "conditioning")


def test_what_is_counted_has_the_range_of_the_seeds() -> None:
    found = judged(*two_seeds())
    assert (found["memory"].low, found["memory"].high) == (0.5, 0.5)
    assert (found["determinism"].measured, found["determinism"].verdict) == (0, "reproduced")


def test_a_speed_that_varies_between_seeds_is_still_above_zero() -> None:
    real_time = next(definition for definition in CLAIMS if definition.id == "real_time")
    found = over_seeds(real_time, [Measurement(speed, speed, speed, "one", "") for speed in (10.0, 20.0)])
    assert (found.measured, found.low, found.high) == tuple(
        pytest.approx(math.exp(value)) for value in mean_interval([math.log(10), math.log(20)])
    )


def test_a_seed_without_a_figure_leaves_the_claim_unmeasured() -> None:
    assert "training_time" in MEASUREMENTS
    assert judged(*two_seeds())["training_time"].verdict == "not_measured"


def test_transformers_by_the_ratio_of_distances() -> None:
    found = judged(
        *(
            outcome("transformers", seed, {"flow_matching": at_ten(8), "flow_matching_transformer": at_ten(8 / ratio)})
            for seed, ratio in enumerate([2.0, 8.0])
        )
    )["transformers"]
    assert found.measured == pytest.approx(4)
    assert found.low < 1 < found.high
    assert found.verdict == "inconclusive"
    assert "1 MFLOP" in found.protocol


def test_optimal_transport_is_judged_at_five_evaluations() -> None:
    methods: dict[str, Rows] = {
        "flow_matching": [("euler", 5, 5, 12.0), ("euler", 10, 10, 7.0)],
        "ot_cfm": [("euler", 5, 5, 7.0), ("euler", 10, 10, 7.0)],
    }
    found = judged(outcome("optimal_transport", 0, methods), outcome("optimal_transport", 1, methods))
    assert found["optimal_transport"].measured == pytest.approx(2)
    assert found["optimal_transport"].verdict == "reproduced"
    assert "5: 2; 10: 1" in found["optimal_transport"].note


def sweep(seed: int, flow: dict[float, float], diffusion: dict[float, float]) -> list[Outcome]:
    return [
        outcome(
            "touchiness",
            seed,
            {"flow_matching": at_ten(flow[rate]), "diffusion": at_ten(diffusion[rate])},
            **{"train.learning_rate": rate},
        )
        for rate in flow
    ]


def test_touchiness_is_the_difference_of_the_widths() -> None:
    narrow, wide = {0.001: 11.0**2 / 10, 0.01: 10.0, 0.1: 11.0**2 / 10}, {0.001: 10.0, 0.01: 10.0, 0.1: 10.0}
    found = judged(*sweep(0, narrow, wide), *sweep(1, narrow, wide))["touchiness"]
    # 10% above the best lies halfway, in logarithms, to what is 21% above it: half a decade to either side.
    assert found.measured == pytest.approx(2 - 1)
    assert found.verdict == "reproduced"
    assert "0.001, 0.01, 0.1" in found.protocol


@given(st.lists(st.floats(1, 100), min_size=1, max_size=6), st.floats(0.1, 10))
def test_good_decades_lie_within_the_grid_whatever_the_scale(distances: list[float], scale: float) -> None:
    grid = {10.0**-k: distance for k, distance in enumerate(distances)}
    found = good_decades(grid)
    assert 0 <= found <= len(distances) - 1 + 1e-9
    assert math.isclose(good_decades({rate: scale * one for rate, one in grid.items()}), found, abs_tol=1e-6)
