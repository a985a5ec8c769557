"""What a benchmark promises: a ratio of two things that were measured in turn, and the least that it may be."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.gpu.report import number, table


@dataclass(frozen=True)
class Bar:
    what: str
    measured: float
    least: float

    @property
    def holds(self) -> bool:
        return self.measured >= self.least


def as_table(bars: Iterable[Bar]) -> str:
    lines = [(bar.what, number(bar.measured), number(bar.least), "yes" if bar.holds else "NO") for bar in bars]
    return table(("ratio", "measured", "at least", "holds"), lines)
