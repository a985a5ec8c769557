from dataclasses import replace

from pipelines.claims.outcomes import Outcome
from pipelines.schemas.evaluation import Snapshot
from pipelines.study.plots import along, by_evaluations, by_learning_rate, plots, shades
from tests.pipelines.claims.test_studies import at_ten, outcome, sweep
from tests.pipelines.report.made_up import BIAS


def on_the_way(given: Outcome) -> Outcome:
    """With two networks of the way for every method."""
    way = [
        Snapshot(images_seen=seen, distance=distance, distance_sets=[distance], distance_infinity_sets=[])
        for seen, distance in ((640, 50.0), (1280, 10.0))
    ]
    evaluations = {name: one.model_copy(update={"along": way}) for name, one in given.evaluations.items()}
    return replace(given, evaluations=evaluations)


def test_a_plot_for_every_arm_that_has_something_to_show() -> None:
    main = outcome("main", 0, {"flow_matching": at_ten(5), "diffusion": at_ten(10)})
    rates = sweep(0, {0.001: 10.0, 0.01: 20.0}, {0.001: 30.0, 0.01: 10.0})
    assert len(plots([main, *rates])) == 1
    drawn = plots([on_the_way(main), *rates])
    assert [caption.split(" ")[0] for _, caption in drawn] == ["How", "The"]
    assert all(svg.startswith("<svg ") and "Flow matching" in svg for svg, _ in drawn)


def test_lines_along_the_training() -> None:
    outcomes = [on_the_way(outcome("main", 3, {"flow_matching": at_ten(5), "diffusion": at_ten(10)}))]
    (flow, diffusion) = along(outcomes, shades(outcomes))
    assert (flow.name, flow.seed, flow.x, flow.y) == ("Flow matching", 3, [640, 1280], [50.0, 10.0])
    assert flow.shade != diffusion.shade


def test_lines_by_learning_rate_rise_from_left_to_right() -> None:
    outcomes = sweep(0, {0.01: 20.0, 0.001: 10.0}, {0.01: 10.0, 0.001: 30.0})
    lines = by_learning_rate(outcomes, shades(outcomes))
    assert [(one.x, one.y) for one in lines] == [([0.001, 0.01], [10.0, 20.0]), ([0.001, 0.01], [30.0, 10.0])]


def test_lines_by_evaluations_have_the_best_sampler_of_each_number() -> None:
    methods = {"ot_cfm": [("euler", 10, 10, 8.0 + BIAS), ("midpoint", 5, 10, 5.0 + BIAS), ("euler", 5, 5, 9.0 + BIAS)]}
    (line,) = by_evaluations([outcome("optimal_transport", 0, methods)], {"ot_cfm": 0})
    assert (line.name, line.x) == ("OT CFM", [5, 10])
    assert [round(value, 6) for value in line.y] == [9.0, 5.0]


def test_colours_are_the_pages() -> None:
    main = outcome("main", 0, {"mine": at_ten(5), "diffusion": at_ten(10)})
    many = outcome("transformers", 0, dict.fromkeys(["mine", *"abcdef"], at_ten(5)))
    shade = shades([main, many])
    assert (shade["mine"], shade["diffusion"], shade["a"]) == (0, 1, 2)
    assert shade["e"] == shade["f"] > shade["c"]
