"""What is measured of the data themselves, as people read it: a line for each figure, a column for each method."""

from collections.abc import Mapping
from typing import NamedTuple

from pipelines.ranking import Ranking
from pipelines.report.plots import curve_plot
from pipelines.schemas.evaluation import Evaluation, FigureOfData, FigureOfSets
from pipelines.words import capital, number, percent

AIMS = {"low": "the less, the better", "high": "the more, the better", "data": "as the data have it"}
HOW = (
    "By the sampler of each method that decides, the mean over its sample sets with its interval; beside it what as "
    "many data of the test split have, and the training split."
)


class Line(NamedTuple):
    """One thing that is measured.

    Attributes:
        aim: what is right of it, in words.
        figures: one for each method, and the ends of its interval; dashes for one that has none.
        test, train: of real data.
    """

    what: str
    aim: str
    figures: list[tuple[str, str]]
    test: tuple[str, str]
    train: str


def lines(evaluations: Mapping[str, Evaluation], ranking: Ranking) -> list[Line]:
    """Nothing where nothing is measured of the data but distances."""
    rows = dict(ranking)
    first = next(iter(evaluations.values()))
    return [
        Line(
            what=f"{one.says}, in {one.unit}" if one.unit not in ("", "share") else one.says,
            aim=AIMS[one.aim],
            figures=[said(rows[method].figures.get(one.name), one) for method in evaluations],
            test=said(one.test, one),
            train=value(one.train, one),
        )
        for one in first.figures
        if one.test.value is not None or any(one.name in row.figures for row in rows.values())
    ]


def said(figure: FigureOfSets | None, of: FigureOfData) -> tuple[str, str]:
    """A figure, and the ends of its interval where it has one.

    >>> of = FigureOfData.model_construct(unit="share")
    >>> said(FigureOfSets(value=0.5, low=0.4, high=0.6, sets=[0.5]), of)
    ('50.0%', '40.0% to 60.0%')
    """
    if figure is None or figure.value is None:
        return "–", ""
    ends = "" if figure.low is None else f"{value(figure.low, of)} to {value(figure.high, of)}"
    return value(figure.value, of), ends


def value(given: float | None, of: FigureOfData) -> str:
    if given is None:
        return "–"
    return percent(given) if of.unit == "share" and (given == 0 or abs(given) >= SMALL) else number(given)


SMALL = 1e-3
"""What is less than this of a whole is told as a number: a residual, not a percentage."""


def plots(evaluations: Mapping[str, Evaluation], ranking: Ranking, names: dict[str, str]) -> list[tuple[str, str]]:
    """What is measured number by number, a line for each method: SVG and what it shows, each."""
    rows = dict(ranking)
    return [
        (
            curve_plot({names[method]: rows[method].curves.get(one.name, []) for method in evaluations}, one),
            f"{capital(one.says)} by {one.along}, by the same samplers; 0 is that of the training split.",
        )
        for one in next(iter(evaluations.values())).curves
    ]
