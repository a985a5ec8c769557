"""What the first page says of few evaluations and of coming over."""

from pipelines.claims.judge import judge
from pipelines.claims.results import Results
from pipelines.params import Roles
from pipelines.project import ROOT
from pipelines.ranking import rank
from pipelines.report.questions import MIGRATION, coming_over, distances_at, few_evaluations
from pipelines.schemas.comparison import Claim, Comparison
from pipelines.schemas.train import Before
from tests.pipelines.report.made_up import DIFFUSION, FLOW, Rows, evaluation, probes, training

JUMPS: Rows = [("jump", 1, 1, 15.0), ("jump", 4, 4, 12.0), ("jump", 10, 10, 12.0)]


def results(methods: dict[str, Rows], before: dict[str, Before] | None = None) -> Results:
    return Results(
        roles=Roles(),
        train={method: training().model_copy(update={"before": (before or {}).get(method)}) for method in methods},
        evaluations={method: evaluation(rows) for method, rows in methods.items()},
        probes=probes(methods),
        classifier_accuracy=None,
    )


def answered(methods: dict[str, Rows], nfe: int = 10, before: dict[str, Before] | None = None) -> list[str]:
    found = results(methods, before)
    ranking = rank(found.evaluations, "fid_classifier", nfe)
    comparison = Comparison(
        dataset="digits",
        extractor="classifier",
        reference="training split",
        num_images=250,
        num_sets=4,
        floor=4.0,
        metric="fid_classifier",
        nfe=nfe,
        winner=ranking[0][0],
        data_md5="",
        claims=judge(found),
    )
    return few_evaluations(comparison, ranking, found)


def test_the_best_of_all_at_each_number_is_held_against_the_winner() -> None:
    """Sets share their luck, so that ratios have none, and a bias of 2; all but the first method take twice as long."""
    flow: Rows = [("euler", 1, 1, 30.0), ("euler", 2, 2, 20.0), *FLOW]
    assert answered({"flow_matching": flow, "diffusion": DIFFUSION, "mean_flow": JUMPS}) == [
        "With 1, mean flow by jump is best: fid_classifier 15.0, 1.62 times (1.62 to 1.62) that of flow matching with "
        "10; an image takes 2.00 ms instead of 10.0 ms; its training takes 2.00 times as long as that of flow "
        "matching.",
        "With 2, flow matching by Euler is best: fid_classifier 20.0, 2.25 times (2.25 to 2.25) that of flow matching "
        "with 10; an image takes 2.00 ms instead of 10.0 ms.",
        "With 4, mean flow by jump is best: fid_classifier 12.0, 1.25 times (1.25 to 1.25) that of flow matching with "
        "10; an image takes 8.00 ms instead of 10.0 ms; its training takes 2.00 times as long as that of flow "
        "matching.",
        "The ratios are of distances extrapolated to infinitely many images, in each sample set those of the rows that "
        "are best in the others.",
    ]


def test_the_luck_by_which_a_row_is_best_is_not_in_its_ratio() -> None:
    """Each of two rows is the better one by a single set: read on the others, both are worse than they seem."""
    found = results({"flow_matching": FLOW, "mean_flow": JUMPS, "shortcut": JUMPS})
    for method, sets in (("mean_flow", [9.0, 15.0, 12.0, 12.0]), ("shortcut", [15.0, 10.0, 12.0, 12.0])):
        (row, *others), evaluated = found.evaluations[method].rows, found.evaluations[method]
        lucky = row.model_copy(
            update={"distance": sum(sets) / 4, "distance_sets": sets, "distance_infinity_sets": sets}
        )
        found.evaluations[method] = evaluated.model_copy(update={"rows": [lucky, *others]})
    assert distances_at(found, "fid_classifier", 1) == [15.0, 15.0, 12.0, 12.0]
    assert distances_at(found, "precision", 1) == [9.0, 15.0, 12.0, 12.0]  # by which they are equals


def test_a_training_that_goes_on_from_another_takes_both() -> None:
    """1,000 steps of 0.1 s for the winner, 1,000 of 0.2 s for the other, and what that goes on from, with its pairs."""
    methods = {"flow_matching": FLOW, "mean_flow": JUMPS}
    for method, pairs, times in (("flow_matching", 0.0, "3.00"), ("gone", 0.0, "2.50"), ("gone", 30.0, "2.80")):
        before = Before(method=method, images_seen=64_000, seconds=50.0, pairs_seconds=pairs)
        said, *_ = answered(methods, before={"mean_flow": before})
        assert said.endswith(
            f"its training, with the one that it goes on from, takes {times} times as long as that of flow matching."
        )


def test_a_winner_that_is_best_at_few_too_is_held_against_plain_flow_matching() -> None:
    """Its training, with the one before, is 3 times the plain one's; beside itself it would cost nothing."""
    better: Rows = [("jump", 4, 4, 6.0), ("jump", 10, 10, 5.0)]
    before = Before(method="flow_matching", images_seen=64_000, seconds=50.0)
    said = answered({"flow_matching": FLOW, "few_steps": better}, before={"few_steps": before})
    assert said[0].startswith("With 4, few steps by jump is best: fid_classifier 6.00, 1.33 times")
    assert "that of few steps with 10" in said[0]
    assert said[0].endswith(
        "its training, with the one that it goes on from, takes 3.00 times as long as that of flow matching."
    )


def test_what_was_not_measured_is_told_with_what_to_add() -> None:
    first, second = answered({"flow_matching": FLOW, "diffusion": DIFFUSION})
    assert first == "No row has 1 or 2 or 4 evaluations: Euler's method with as many steps is one."
    assert 'make run SET="methods.mean_flow=@methods/mean_flow.yaml"' in second


def test_numbers_that_are_no_fewer_than_the_deciding_one_are_left_out() -> None:
    assert all("4" not in one.split(",")[0] for one in answered({"mean_flow": JUMPS}, nfe=4))


def migration(measured: float | None) -> Claim:
    return Claim(
        id=MIGRATION,
        claim="A training that goes on from diffusion is sooner as good.",
        source_value="half of it",
        measured=measured,
        low=None if measured is None else 0.3,
        high=None if measured is None else 0.5,
        unit="share",
        better="up",
        null=0,
        threshold=0.5,
        verdict="not_measured" if measured is None else "partly",
        protocol="",
        note="no row starts from another." if measured is None else "as good after 6,000 images as after 10,000.",
    )


def test_coming_over_is_not_measured_and_how_it_would_be() -> None:
    assert coming_over([migration(None)]) == ["Not measured. no row starts from another."]
    (of_an_older_file,) = coming_over([])
    command = 'make run SET="methods.from_diffusion=@methods/from_diffusion.yaml train.snapshots=7" measures it.'
    assert of_an_older_file == f"Not measured: {command}"
    (claim,) = (one for one in judge(results({"flow_matching": FLOW, "diffusion": DIFFUSION})) if one.id == MIGRATION)
    assert coming_over([claim]) == [f"Not measured. No row goes on from the diffusion model: {command}"]
    assert (ROOT / "methods/from_diffusion.yaml").exists()


def test_coming_over_by_its_claim() -> None:
    assert coming_over([migration(0.4)]) == [
        "Going over saves 40.0% of a training from scratch (30.0% to 50.0%). Claimed: "
        "half of it; partly. As good after 6,000 images as after 10,000."
    ]
