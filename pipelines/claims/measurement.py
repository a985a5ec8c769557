"""A figure for a claim, before its verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

ONE_SEED = "one training seed"


@dataclass(frozen=True)
class Measurement:
    """A figure for a claim.

    Attributes:
        low, high: of its interval. One that is infinite leaves its side open, and the other is a bound; both are, where
            nothing can be said.
        by_set: the figure of each sample set, index-aligned over all that was measured by the same sets; empty where
            it does not come from sample sets.
    """

    measured: float | None
    low: float | None
    high: float | None
    protocol: str
    note: str
    by_set: Sequence[float] = ()


def not_measured(reason: str) -> Measurement:
    return Measurement(None, None, None, protocol="", note=sentence(reason))


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
