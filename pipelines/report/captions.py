"""How far captions are followed, as people read it: a line for each figure, a column for each method."""

from collections.abc import Mapping
from typing import NamedTuple

from pipelines.schemas.evaluation import CaptionFigure, Evaluation, Following
from pipelines.words import percent

RANKED = {
    "another caption": "a test image is likelier under its own caption than under another one",
    "another label": "a test image is likelier under its own caption than under that of the same with another label",
}
HOW = (
    "Likelier: by a method's own loss, of real images. The others: what a method makes of captions by the sampler that "
    "decides, as networks see it that were trained on the data, two towers and a classifier, which has not seen the "
    "images of these training captions."
)
OF_CLIP = " CLIP alone was not trained on the data."


class Line(NamedTuple):
    """One thing that is measured.

    Attributes:
        shares: a figure for each method, and the ends of its interval; dashes for one that has none.
        floor, ceiling: where captions are shuffled, and of real images.
    """

    what: str
    shares: list[tuple[str, str]]
    floor: str
    ceiling: str


def lines(evaluations: Mapping[str, Evaluation]) -> list[Line]:
    """Nothing where no method is told captions."""
    each = [evaluation.captions for evaluation in evaluations.values()]
    measured = next((one for one in each if one is not None), None)
    if measured is None:
        return []
    return [
        Line(
            phrase(one),
            [share(same(other, one)) for other in each],
            value(one, one.floor),
            value(one, one.ceiling),
        )
        for one in measured.figures
    ]


def how(evaluations: Mapping[str, Evaluation]) -> str:
    """How the figures were come by."""
    each = [evaluation.captions for evaluation in evaluations.values() if evaluation.captions is not None]
    return HOW + OF_CLIP if any(one.find("clip") for one in each) else HOW


def same(by: Following | None, figure: CaptionFigure) -> CaptionFigure | None:
    """The figure of another method that says the same."""
    asked = figure.kind, figure.what, figure.of
    figures = [] if by is None else by.figures
    return next((one for one in figures if (one.kind, one.what, one.of) == asked), None)


def share(figure: CaptionFigure | None) -> tuple[str, str]:
    if figure is None:
        return "–", ""
    share, low, high = (value(figure, one) for one in (figure.share, figure.share_low, figure.share_high))
    return share, f"{low} to {high}"


def value(figure: CaptionFigure, share: float) -> str:
    """A cosine is no share of anything."""
    return f"{100 * share:.1f}" if figure.kind == "clip" else percent(share)


def phrase(figure: CaptionFigure) -> str:
    """What is true of so many, or how near they are.

    >>> phrase(CaptionFigure.model_construct(kind="retrieval", what="5 of 692", of="held out", count=692))
    "an image's caption is among the 5 nearest of 692"
    """
    if figure.kind == "ranking":
        return RANKED[figure.what]
    if figure.kind == "retrieval":
        first, among = figure.what.split(" of ")
        return (
            f"an image's caption is the nearest of {among}"
            if first == "1"
            else (f"an image's caption is among the {first} nearest of {among}")
        )
    if figure.kind == "clip":
        return f"100 times the cosine between an image and its caption to CLIP, of {figure.count:,} test captions"
    where = "test" if figure.of == "held out" else "training"
    return f"an image shows the {figure.what} that it was asked for, of {figure.count:,} {where} captions"
