"""A figure for a claim, before its verdict."""

from dataclasses import dataclass

ONE_SEED = "one training seed"


@dataclass(frozen=True)
class Measurement:
    """A figure for a claim. Without both ends there is no interval, and no verdict but "inconclusive"."""

    measured: float | None
    low: float | None
    high: float | None
    protocol: str
    note: str


def not_measured(reason: str) -> Measurement:
    return Measurement(None, None, None, protocol="", note=sentence(reason))


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
