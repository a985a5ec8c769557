"""A plot for every arm of a study."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.claims import custom_flow, learning_rates, optimal_transport, other_data, transformers
from pipelines.claims.learning_rates import sweep
from pipelines.claims.outcomes import MAIN, Outcome, alike, distance, learning_rate
from pipelines.report.plots import Line, lines_plot
from pipelines.schemas.evaluation import distance_key
from pipelines.words import method_name

MOST_SHADES = 5  # further methods have one colour together

Shades = Mapping[str, int]


@dataclass(frozen=True)
class Plot:
    """What is drawn of an arm.

    Attributes:
        caption: with {Ours} for the method that the claims are about.
        lines: of the arm's trials.
    """

    title: str
    x: str
    log_x: bool
    caption: str
    lines: Callable[[Sequence[Outcome], Shades], list[Line]]


def plots(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """SVG and caption for every arm with something to show."""
    drawn, shade = [], shades(outcomes)
    for arm, plot in PLOTS.items():
        chosen = alike([one for one in outcomes if one.arm == arm])
        lines = plot.lines(chosen, shade) if chosen else []
        if lines:
            key = distance_key(next(iter(chosen[0].evaluations.values())).extractor)
            caption = plot.caption.format(Ours=method_name(chosen[0].roles.ours))
            drawn.append((lines_plot(lines, arm, plot.title, plot.x, key, plot.log_x), caption))
    return drawn


def shades(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """A method has one colour in all plots of the page, those of the main arm the page's own."""
    methods = dict.fromkeys(method for one in outcomes for method in one.evaluations)
    return {method: min(number, MOST_SHADES) for number, method in enumerate(methods)}


def along(outcomes: Sequence[Outcome], shade: Shades) -> list[Line]:
    return [
        Line(
            method_name(method),
            shade[method],
            one.seed,
            [each.images_seen for each in evaluation.along],
            [each.distance for each in evaluation.along],
        )
        for one in outcomes
        for method, evaluation in one.evaluations.items()
        if evaluation.along
    ]


def by_learning_rate(outcomes: Sequence[Outcome], shade: Shades) -> list[Line]:
    lines = []
    for seed in sorted({one.seed for one in outcomes}):
        of_seed = sorted((one for one in outcomes if one.seed == seed), key=learning_rate)
        for method in of_seed[0].evaluations:
            found = sweep(of_seed, method)
            lines.append(Line(method_name(method), shade[method], seed, list(found), list(found.values())))
    return lines


def by_evaluations(outcomes: Sequence[Outcome], shade: Shades) -> list[Line]:
    lines = []
    for one in outcomes:
        for method, evaluation in one.evaluations.items():
            best: dict[int, float] = {}
            for row in sorted(evaluation.rows, key=lambda row: row.nfe):
                best[row.nfe] = min(best.get(row.nfe, float("inf")), distance(row))
            lines.append(Line(method_name(method), shade[method], one.seed, list(best), list(best.values())))
    return lines


PLOTS = {
    MAIN: Plot(
        "distance along the training",
        "images seen",
        False,
        "How good each method is along its training, by the sampler that is best in the end.",
        along,
    ),
    learning_rates.CLAIM.id: Plot(
        "distance by learning rate",
        "learning rate",
        True,
        "The distance at the end by learning rate, each at its best sampler.",
        by_learning_rate,
    ),
    optimal_transport.CLAIM.id: Plot(
        "distance by evaluations, with and without optimal transport",
        "network evaluations",
        True,
        "{Ours} by evaluations, noise and data paired at random and by optimal transport.",
        by_evaluations,
    ),
    other_data.VIDEO.id: Plot(
        "distance by evaluations, of videos",
        "network evaluations",
        True,
        "Videos by evaluations, each method by its best sampler of so many.",
        by_evaluations,
    ),
    other_data.VOLUMES.id: Plot(
        "distance by evaluations, of volumes",
        "network evaluations",
        True,
        "Volumes by evaluations, each method by its best sampler of so many.",
        by_evaluations,
    ),
    custom_flow.CLAIM.id: Plot(
        "distance by evaluations, with and without a flow made for the data",
        "network evaluations",
        True,
        "{Ours} by evaluations, on the straight path from white noise and with a flow made for the data.",
        by_evaluations,
    ),
    transformers.CLAIM.id: Plot(
        "distance by evaluations, UNet and transformer",
        "network evaluations",
        True,
        "{Ours} by evaluations, with a UNet and with a transformer of about equal compute.",
        by_evaluations,
    ),
}
