"""Measurements from made-up metrics with known answers."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.claims import CLAIMS
from pipelines.measurements import (
    MEASUREMENTS,
    Results,
    cost_to_reach,
    difference_of_shares,
    held_out,
    judge,
    paired_difference,
)
from pipelines.schemas import Claim, EvaluationRow
from tests.pipelines.report.made_up import DIFFUSION, FLOW, LUCK, Rows, evaluation, row, training


def results(flow: Rows = FLOW, diffusion: Rows = DIFFUSION) -> Results:
    return Results(
        train={"flow_matching": training(103.0, 800_000_000), "diffusion": training(100.0, 1_000_000_000)},
        evaluations={
            "flow_matching": evaluation(flow, accuracy=0.95),
            "diffusion": evaluation(diffusion, accuracy=0.80, call=0.002),
        },
        classifier_accuracy=0.97,
    )


def judged(given: Results) -> dict[str, Claim]:
    return {claim.id: claim for claim in judge(given)}


def test_there_are_fourteen_claims_of_which_one_run_tries_seven():
    assert len(CLAIMS) == len({definition.id for definition in CLAIMS}) == 14
    assert set(MEASUREMENTS) == {definition.id for definition in CLAIMS if not definition.missing}


def test_every_claim_says_how_or_why_not():
    for claim in judge(results()):
        assert claim.note
        assert bool(claim.protocol) == (claim.measured is not None)
        assert claim.protocol == "" or "one training seed" in claim.protocol


def test_quality_is_paired_set_by_set():
    # All sets have the same ratio, so the luck of the sets cancels and the interval is a point.
    found = judged(results())["quality"]
    assert found.measured == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.2), pytest.approx(0.2))
    assert "At 10 evaluations: 50% (50% to 50%)." in found.note
    assert "floor 4" in found.protocol
    assert "biased upwards" in found.protocol


def test_quality_that_is_worse_is_not_reproduced():
    found = judged(results(flow=[("euler", 10, 10, 15.0)]))["quality"]
    assert found.measured == pytest.approx(-0.5)
    assert found.verdict == "not_reproduced"


def test_the_best_row_is_chosen_on_other_sets_than_it_is_read_on():
    lucky = replace_sets(row("euler", 1, 1, 10.0), [1.0, 20.0, 20.0, 20.0])
    steady = replace_sets(row("euler", 2, 2, 10.0), [10.0, 10.0, 10.0, 10.0])
    assert held_out([lucky, steady]) == [10.0, 10.0, 10.0, 10.0]


def replace_sets(like: EvaluationRow, sets: list[float]) -> EvaluationRow:
    return like.model_copy(update={"distance_sets": sets, "distance": sum(sets) / len(sets)})


def test_evaluations_to_match_the_baseline():
    # 5% above diffusion's best, which is 10 at 100, is 10.5. Flow matching passes it between 20 at 5
    # and 10 at 10, diffusion between 12 at 50 and 10 at 100; straight in logarithms.
    own = 5 * 2 ** (math.log(20 / 10.5) / math.log(20 / 10))
    other = 50 * 2 ** (math.log(12 / 10.5) / math.log(12 / 10))
    found = judged(results())["evaluations"]
    assert found.measured == pytest.approx(other / own)
    assert found.low == pytest.approx(found.high)
    assert found.verdict == "reproduced"


def test_sampling_speed_also_pays_for_slower_calls():
    found = judged(results())
    assert found["sampling_speed"].measured == pytest.approx(2 * found["evaluations"].measured)
    assert "not interleaved" in found["sampling_speed"].note


def test_timing_noise_widens_the_interval_of_speed():
    given = results()
    flow = given.evaluations["flow_matching"]
    slow = flow.rows[0].model_copy(update={"seconds_per_image": 2 * flow.rows[0].seconds_per_image})
    noisy = flow.model_copy(update={"rows": [slow, *flow.rows[1:]]})
    found = judged(replace(given, evaluations={**given.evaluations, "flow_matching": noisy}))["sampling_speed"]
    assert found.low < 0.9 * found.measured < 1.1 * found.measured < found.high


def test_a_method_that_never_matches_the_baseline_gives_a_bound():
    found = judged(results(flow=[("euler", 10, 10, 30.0), ("euler", 100, 100, 11.0)]))["evaluations"]
    assert found.low == 0
    assert found.measured == found.high
    assert found.high < 1
    assert found.verdict == "not_reproduced"


def test_a_method_that_matches_in_some_sets_only_leaves_it_open():
    given = results()
    rows = [replace_sets(each, [each.distance_sets[0], 90.0, 90.0, 90.0]) for each in evaluation(FLOW).rows]
    flow = given.evaluations["flow_matching"].model_copy(update={"rows": rows})
    found = judged(replace(given, evaluations={**given.evaluations, "flow_matching": flow}))["evaluations"]
    assert (found.low, found.high, found.verdict) == (None, None, "inconclusive")


def test_a_baseline_at_its_best_from_the_start_leaves_it_open():
    found = judged(results(diffusion=[("ddim", 10, 10, 10.0), ("ddim", 100, 100, 10.0)]))["evaluations"]
    assert found.verdict == "inconclusive"
    assert "cheapest" in found.note


@given(st.lists(st.floats(1, 100), min_size=1, max_size=6), st.floats(1, 100))
def test_cost_to_reach_lies_among_the_rows(distances: list[float], target: float):
    rows = [row("euler", 2**i, 2**i, distance) for i, distance in enumerate(distances)]
    found = cost_to_reach(rows, lambda each: float(each.nfe), 3, target)
    assert (found is None) == (min(each.distance_sets[3] for each in rows) > target)
    assert found is None or 1 <= found <= 2 ** (len(rows) - 1) * (1 + 1e-12)


def test_one_training_of_each_gives_figures_without_a_verdict():
    found = judged(results())
    assert found["memory"].measured == pytest.approx(0.2)
    assert found["step_cost"].measured == pytest.approx(1.03)
    for name in ("memory", "step_cost"):
        assert (found[name].low, found[name].high, found[name].verdict) == (None, None, "inconclusive")
        assert found[name].note.startswith("No interval: one training of each")


def test_conditioning_compares_recognised_shares():
    found = judged(results())["conditioning"]
    assert found.measured == pytest.approx(-0.15)
    assert -0.2 < found.low < -0.15 < found.high < -0.1
    assert found.verdict == "not_reproduced"
    swapped = {"flow_matching": evaluation(FLOW, accuracy=0.80), "diffusion": evaluation(DIFFUSION, accuracy=0.95)}
    assert judged(replace(results(), evaluations=swapped))["conditioning"].verdict == "reproduced"


def test_conditioning_needs_a_classifier():
    given = results()
    blind = {method: evaluation(rows, accuracy=None) for method, rows in (("flow_matching", FLOW), ("diffusion", FLOW))}
    assert judged(replace(given, evaluations=blind))["conditioning"].verdict == "not_measured"


def test_newcombe_interval_by_hand():
    # Wilson's interval of 10 in 10 begins at 1 / (1 + z^2 / 10), that of 0 in 10 is its mirror image.
    reach = 1 - 1 / (1 + 1.959964**2 / 10)
    found = difference_of_shares(1.0, 0.0, 10, 0.95)
    assert (found.low, found.high) == (pytest.approx(1 - math.sqrt(2) * reach, abs=1e-6), pytest.approx(1.0))


def test_paired_difference_of_two_rows():
    gap = paired_difference(row("euler", 1, 1, 10.0), row("ddim", 1, 1, 20.0), 0.95)
    differences = [10 * (1 + luck) for luck in LUCK]
    assert gap.mean == pytest.approx(sum(differences) / 4)
    assert gap.high - gap.mean == pytest.approx(3.182446 * 0.2160247 / 2, rel=1e-5)


@pytest.mark.parametrize("present", ["flow_matching", "diffusion", "other"])
def test_without_both_roles_nothing_is_measured(present: str):
    alone = Results({present: training()}, {present: evaluation(FLOW)}, None)
    found = judge(alone)
    assert len(found) == 14
    assert {claim.verdict for claim in found} == {"not_measured"}


def test_the_source_contradicts_itself_and_we_say_so():
    assert "55%" in judged(results())["training_time"].note
