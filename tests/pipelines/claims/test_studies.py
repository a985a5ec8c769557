"""Claims over made-up trials with known answers."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fm.metrics.distances import Moments, distances_at_infinity
from fm.metrics.intervals import mean_interval
from pipelines.claims.judge import judge, judge_study
from pipelines.claims.measurement import Measurement
from pipelines.claims.outcomes import Outcome
from pipelines.claims.over_seeds import over_seeds
from pipelines.claims.results import Results
from pipelines.claims.table import CLAIMS
from pipelines.params import Roles
from pipelines.schemas.comparison import Claim
from pipelines.schemas.machine import Load
from pipelines.schemas.probes import ProbeLoads
from tests.pipelines.report.made_up import BIAS, DIFFUSION, FLOW, Rows, evaluation, probes, training


def outcome(
    arm: str, seed: int, methods: Mapping[str, Rows], evaluation_seed: int | None = -1, **overrides: Any
) -> Outcome:
    """A trial, by default with an evaluation seed of its own."""
    own = {"seed": 1000 + seed if evaluation_seed == -1 else evaluation_seed}
    evaluations = {method: evaluation(rows).model_copy(update=own) for method, rows in methods.items()}
    train = {method: training() for method in methods}
    results = Results(Roles(), train, evaluations, probes(dict(methods)), 0.97) if arm == "main" else None
    return Outcome(arm, seed, overrides, Roles(), train, evaluations, results)


def two_seeds() -> list[Outcome]:
    return [outcome("main", seed, {"flow_matching": FLOW, "diffusion": DIFFUSION}) for seed in (0, 1)]


def judged(*outcomes: Outcome) -> dict[str, Claim]:
    return {claim.id: claim for claim in judge_study(outcomes)}


def at_ten(distance: float) -> Rows:
    """Whose distance without the bias is this."""
    return [("euler", 5, 5, distance + BIAS), ("euler", 10, 10, distance + BIAS)]


def test_every_claim_is_there_measured_or_with_a_reason() -> None:
    found = judged(*two_seeds())
    assert list(found) == [definition.id for definition in CLAIMS]
    for name in ("transformers", "touchiness", "optimal_transport", "video", "volumes", "custom_flow"):
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


def test_a_seed_on_a_busy_machine_leaves_an_absolute_time_unjudged() -> None:
    quiet, busy = two_seeds()
    assert busy.results is not None
    load = Load(others=1.2, cpus=2, average=3.0)
    loads = ProbeLoads(samplers=load, one_at_a_time=load, training_steps=load)
    loaded = busy.results.probes.model_copy(update={"machine_load": loads})
    found = judged(quiet, replace(busy, results=replace(busy.results, probes=loaded)))
    assert (found["real_time"].low, found["real_time"].verdict) == (None, "inconclusive")
    assert found["real_time"].measured == pytest.approx(100)
    assert "Not judged, because the machine was busy" in found["real_time"].note
    assert found["step_cost"] == judged(*two_seeds())["step_cost"]


def test_seeds_that_agree_by_chance_leave_the_luck_of_sampling() -> None:
    found = judged(*two_seeds())["conditioning"]
    alone = judged_alone().high - judged_alone().low
    assert found.high - found.low == pytest.approx(alone / math.sqrt(2))
    assert found.low < found.measured < found.high


def judged_alone() -> Claim:
    """The same by one training."""
    results = two_seeds()[0].results
    assert results is not None
    return next(claim for claim in judge(results) if claim.id == "conditioning")


def test_what_is_counted_has_the_range_of_the_seeds() -> None:
    found = judged(*two_seeds())
    assert (found["memory"].low, found["memory"].high) == (0.5, 0.5)
    assert (found["determinism"].measured, found["determinism"].verdict) == (0, "reproduced")


def test_a_speed_that_varies_between_seeds_is_still_above_zero() -> None:
    real_time = next(definition for definition in CLAIMS if definition.id == "real_time")
    found = over_seeds(real_time, [Measurement(speed, speed, speed, "one", "") for speed in (10.0, 20.0)], False)
    assert (found.measured, found.low, found.high) == tuple(
        pytest.approx(math.exp(value)) for value in mean_interval([math.log(10), math.log(20)])
    )


def test_the_seed_that_makes_it_a_bound_says_why() -> None:
    evaluations = next(definition for definition in CLAIMS if definition.id == "evaluations")
    exact, bound = (Measurement(2.0, low, 3.0, "one", note) for low, note in ((1.0, "Exact."), (-math.inf, "Never.")))
    assert over_seeds(evaluations, [exact, exact, bound], False).note.endswith("open is number 3: Never.")
    assert over_seeds(evaluations, [bound, exact], False).note.endswith("First seed: Never.")


def test_a_seed_without_a_figure_leaves_the_claim_unmeasured() -> None:
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


@pytest.mark.parametrize("arm", ["transformers", "optimal_transport", "custom_flow"])
def test_an_arm_without_its_two_methods_is_not_measured(arm: str) -> None:
    for methods in (["flow_matching"], ["mine", "ot_cfm"], ["flow_matching", "mine", "ot_cfm"]):
        found = judged(*(outcome(arm, seed, dict.fromkeys(methods, at_ten(8))) for seed in (0, 1)))[arm]
        assert found.verdict == "not_measured"
        assert "The arm needs the method flow_matching and one with" in found.note


def test_optimal_transport_is_judged_at_five_evaluations() -> None:
    methods: dict[str, Rows] = {
        "flow_matching": [("euler", 5, 5, 12.0), ("euler", 10, 10, 7.0)],
        "ot_cfm": [("euler", 5, 5, 7.0), ("euler", 10, 10, 7.0)],
    }
    found = judged(outcome("optimal_transport", 0, methods), outcome("optimal_transport", 1, methods))
    assert found["optimal_transport"].measured == pytest.approx(2)
    assert found["optimal_transport"].verdict == "reproduced"
    assert "5: 2; 10: 1" in found["optimal_transport"].note


def both_kinds(id: str, on_kind: list[float], on_stills: list[float], images_seen: int = 1000) -> list[Outcome]:
    """Trials on data of a kind and on still pictures, in which diffusion's distance is so many times ours."""
    trials = []
    for arm, ratios in ((id, on_kind), ("main", on_stills)):
        for seed, ratio in enumerate(ratios):
            one = outcome(arm, seed, {"flow_matching": at_ten(4), "diffusion": at_ten(4 * ratio)})
            seen = images_seen if arm == id else 1000
            trained = {name: each.model_copy(update={"images_seen": seen}) for name, each in one.train.items()}
            trials.append(replace(one, train=trained))
    return trials


@pytest.mark.parametrize("id", ["video", "volumes"])
def test_what_flow_matching_gains_on_other_data_is_held_against_still_pictures(id: str) -> None:
    found = judged(*both_kinds(id, [3.0, 3.3, 2.7], [1.5, 1.5, 1.5]))[id]
    assert found.measured == pytest.approx((3.0 * 3.3 * 2.7) ** (1 / 3) / 1.5)
    assert found.verdict == "reproduced"
    assert "on still pictures 1.5 times (1.5, 1.5, 1.5)" in found.note
    assert "FLOP of training" in found.protocol


def test_an_advantage_that_is_the_same_on_videos_as_on_stills_is_none() -> None:
    found = judged(*both_kinds("video", [1.5, 1.6, 1.4], [1.5, 1.4, 1.6]))["video"]
    assert found.low < 1 < found.high
    assert found.verdict == "inconclusive"
    shrunk = judged(*both_kinds("video", [1.5, 1.51, 1.49], [3.0, 3.01, 2.99]))["video"]
    assert (shrunk.measured, shrunk.verdict) == (pytest.approx(0.5, rel=0.01), "not_reproduced")


def test_trainings_of_unequal_compute_are_not_compared_across_kinds_of_data() -> None:
    found = judged(*both_kinds("video", [3.0, 3.0], [1.5, 1.5], images_seen=2000))["video"]
    assert found.verdict == "not_measured"
    assert "with train.images_seen 1,000 in place of 2,000 they would be" in found.note


@pytest.mark.parametrize("without", ["ours", "seeds"])
def test_an_arm_of_other_data_needs_both_methods_and_two_seeds_as_the_main_arm_has_them(without: str) -> None:
    trials = both_kinds("video", [3.0, 3.0], [1.5, 1.5])
    if without == "seeds":
        trials = trials[:1] + trials[2:]
    else:
        trials[0] = replace(trials[0], evaluations={"diffusion": trials[0].evaluations["diffusion"]})
    assert judged(*trials)["video"].verdict == "not_measured"


def test_a_custom_flow_is_worth_the_part_of_the_distance_that_it_takes_away() -> None:
    methods = {"flow_matching": at_ten(8), "spectral_source": at_ten(2)}
    found = judged(*(outcome("custom_flow", seed, methods) for seed in (0, 1)))["custom_flow"]
    assert (found.measured, found.verdict) == (pytest.approx(0.75), "reproduced")
    worse = {"flow_matching": at_ten(2), "spectral_source": at_ten(8)}
    found = judged(*(outcome("custom_flow", seed, worse) for seed in (0, 1)))["custom_flow"]
    assert (found.measured, found.verdict) == (pytest.approx(-3), "not_reproduced")


def with_luck(given: Outcome, method: str, factors: list[float]) -> Outcome:
    """With the distances of a method's sets multiplied, set by set."""
    rows = [
        row.model_copy(
            update={
                field: [value * factor for value, factor in zip(getattr(row, field), factors, strict=True)]
                for field in ("distance_sets", "distance_infinity_sets")
            }
        )
        for row in given.evaluations[method].rows
    ]
    changed = given.evaluations[method].model_copy(update={"rows": rows})
    return replace(given, evaluations={**given.evaluations, method: changed})


@pytest.mark.parametrize("evaluation_seed", [1000, None])
def test_seeds_that_share_their_sets_have_the_luck_of_the_sets_in_common(evaluation_seed: int | None) -> None:
    """All of three seeds find 1.4, in three sets of four: one interval over seeds knows nothing of the fourth."""
    methods = {"flow_matching": at_ten(14), "ot_cfm": at_ten(10)}
    lucky = [0.5, 1.4, 1.4, 1.4]
    shared = [
        with_luck(outcome("optimal_transport", seed, methods, evaluation_seed), "ot_cfm", lucky) for seed in range(3)
    ]
    found = judged(*shared)["optimal_transport"]
    assert found.low < 1 < found.high
    assert found.verdict == "inconclusive"
    assert "with the luck of the sample sets, which they have in common" in found.protocol
    own = [with_luck(outcome("optimal_transport", seed, methods), "ot_cfm", lucky) for seed in range(3)]
    narrower = judged(*own)["optimal_transport"]
    assert found.low < narrower.low < narrower.high < found.high


@pytest.mark.parametrize("claim", ["quality", "evaluations", "conditioning", "stability"])
def test_every_claim_of_sample_sets_is_wider_where_seeds_share_them(claim: str) -> None:
    methods = {"flow_matching": FLOW, "diffusion": DIFFUSION}
    own, shared = (
        judged(*(outcome("main", seed, methods, evaluation_seed) for seed in (0, 1))) for evaluation_seed in (-1, 1000)
    )
    assert "in common" in shared[claim].protocol
    assert "in common" not in own[claim].protocol
    assert shared[claim].high - shared[claim].low >= own[claim].high - own[claim].low
    for timed in ("step_cost", "real_time"):
        assert shared[timed] == own[timed]


def test_three_trainings_that_each_fail_to_match_the_baseline_fail_together() -> None:
    """The last samplers come closer and closer, and none of them comes within 5% of diffusion's best."""
    seeds = [
        outcome(
            "main", seed, {"flow_matching": [("euler", 10, 10, 30.0), ("euler", 100, 100, last)], "diffusion": rows}
        )
        for seed, (last, rows) in enumerate([(11.0, DIFFUSION), (12.0, DIFFUSION[1:]), (15.0, DIFFUSION)])
    ]
    for one in seeds:
        assert one.results is not None
        assert next(each for each in judge(one.results) if each.id == "evaluations").verdict == "not_reproduced"
    found = judged(*seeds)["evaluations"]
    assert (found.low, found.verdict) == (None, "not_reproduced")
    assert found.measured <= found.high < 1


def test_a_distance_below_zero_is_compared_with_no_extrapolated_one() -> None:
    """Raw against raw where one of them cannot be extrapolated, in every trial of the arm, and the protocol says so."""
    good = {"flow_matching": at_ten(8), "ot_cfm": at_ten(4)}
    perfect = {"flow_matching": at_ten(8), "ot_cfm": at_ten(-0.05)}
    found = judged(outcome("optimal_transport", 0, good), outcome("optimal_transport", 1, perfect))["optimal_transport"]
    raw = [(8 + BIAS) / (4 + BIAS), (8 + BIAS) / (BIAS - 0.05)]
    assert found.measured == pytest.approx(math.sqrt(raw[0] * raw[1]))
    assert "biased upwards" in found.protocol
    both = judged(outcome("optimal_transport", 0, good), outcome("optimal_transport", 1, good))["optimal_transport"]
    assert both.measured == pytest.approx(2)
    assert "extrapolated" in both.protocol


def test_a_main_trial_that_cannot_be_extrapolated_leaves_all_raw() -> None:
    good, perfect = ({"flow_matching": at_ten(d), "diffusion": at_ten(8)} for d in (4, -0.05))
    found = judged(outcome("main", 0, good), outcome("main", 1, perfect))["quality"]
    assert found.measured == pytest.approx(1 - (4 + BIAS + BIAS - 0.05) / 2 / (8 + BIAS))
    assert "biased upwards" in found.protocol


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


# 10% above the best lies halfway, in logarithms, to what is 21% above it: half a decade to either side.
NARROW = {0.0001: 50.0, 0.001: 11.0**2 / 10, 0.01: 10.0, 0.1: 11.0**2 / 10, 1.0: 50.0}
WIDE = {0.0001: 11.0**2 / 10, 0.001: 10.0, 0.01: 10.0, 0.1: 10.0, 1.0: 11.0**2 / 10}
ENDLESS = dict.fromkeys(NARROW, 10.0)


def test_touchiness_is_the_difference_of_the_widths() -> None:
    found = judged(*sweep(0, NARROW, WIDE), *sweep(1, NARROW, WIDE))["touchiness"]
    assert found.measured == pytest.approx(3 - 1)
    assert found.verdict == "reproduced"
    assert "0.0001, 0.001, 0.01" in found.protocol
    assert "grid" not in found.note


@pytest.mark.parametrize(
    ("flow", "diffusion", "low", "high", "verdict"),
    [
        (NARROW, ENDLESS, 4 - 1, None, "reproduced"),
        (ENDLESS, NARROW, None, 1 - 4, "not_reproduced"),
        (ENDLESS, ENDLESS, None, None, "inconclusive"),
    ],
)
def test_a_width_that_the_grid_cuts_off_makes_a_bound(
    flow: dict[float, float], diffusion: dict[float, float], low: float | None, high: float | None, verdict: str
) -> None:
    found = judged(*sweep(0, flow, diffusion), *sweep(1, flow, diffusion))["touchiness"]
    assert (found.low, found.high) == (low and pytest.approx(low), high and pytest.approx(high))
    assert found.verdict == verdict
    assert "The grid is too small" in found.note
    assert "at least 4" in found.note


# A study from its images' features on: how far the trained models are from the data varies with the luck of each
# training, what is measured of them with that of the samples.
FEATURES, IMAGES, SETS = 8, 60, 4
DATA = Moments(np.zeros(FEATURES), np.eye(FEATURES))
AWAY = {"flow_matching": 3.0, "ot_cfm": 2.0}  # on geometric average


def trained_and_measured(random: np.random.Generator, shared_sets: bool) -> Claim:
    outcomes = []
    noise = random.normal(size=(SETS, IMAGES, FEATURES))
    for seed in range(3):
        noise = noise if shared_sets else random.normal(size=(SETS, IMAGES, FEATURES))
        limits = {}
        for axis, (method, away) in enumerate(AWAY.items()):
            offset = math.sqrt(away * math.exp(random.normal(0, 0.1))) * np.eye(FEATURES)[axis]
            limits[method] = distances_at_infinity(list(noise + offset), DATA)
        given = outcome("optimal_transport", seed, dict.fromkeys(AWAY, at_ten(1)), 1000 if shared_sets else -1)
        for method, values in limits.items():
            given = with_luck(given, method, values)
        outcomes.append(given)
    return judged(*outcomes)["optimal_transport"]


@pytest.mark.parametrize("shared_sets", [False, True])
def test_intervals_cover_what_is_true_of_trainings_and_images_together(shared_sets: bool) -> None:
    random = np.random.default_rng(0)
    found = [trained_and_measured(random, shared_sets) for _ in range(80)]
    assert np.mean([one.low <= AWAY["flow_matching"] / AWAY["ot_cfm"] <= one.high for one in found]) > 0.9
    assert all("extrapolated" in one.protocol for one in found)
