"""The units that claims are measured in: how a figure reads, and whether it varies by factors."""

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.words import number, percent


@dataclass(frozen=True)
class Unit:
    """A unit of claims.

    Attributes:
        name: in comparison.json.
        text: a figure as people read it.
        by_factors: it is above 0 and varies by factors: the mean over training seeds is geometric, and no interval
            reaches below 0.
    """

    name: str
    text: Callable[[float], str]
    by_factors: bool = False


def followed_by(name: str, by_factors: bool = False) -> Unit:
    """One whose name stands behind its figures."""
    return Unit(name, lambda value: f"{number(value)} {name}", by_factors)


PART = Unit("share", percent)
DIFFERENCE = Unit("difference of shares", lambda value: f"{100 * value:.1f} points".replace("-", "−"))
RATIO = Unit("ratio", lambda value: f"{number(value)}×", by_factors=True)
IMAGES_A_SECOND = followed_by("images/s", by_factors=True)
BYTES = followed_by("bytes")
PIXEL_VALUE = followed_by("pixel value")
DECADES = followed_by("decades")

KNOWN = {unit.name: unit for unit in (PART, DIFFERENCE, RATIO, IMAGES_A_SECOND, BYTES, PIXEL_VALUE, DECADES)}


def quantity(value: float, unit: str) -> str:
    """A figure in the unit of that name."""
    return KNOWN.get(unit, followed_by(unit)).text(value)
