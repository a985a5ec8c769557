"""What a section of the check tells: one row at a time, as a line of JSON, so that a section that is cut off loses
nothing that it has found."""

import json
from dataclasses import asdict, dataclass

Value = float | int | str


@dataclass(frozen=True)
class Check:
    """Something that must hold: that an error is at most what is allowed."""

    what: str
    error: float
    allowed: float

    @property
    def holds(self) -> bool:
        return self.error <= self.allowed  # which not-a-number is not


@dataclass(frozen=True)
class Figure:
    """Something that was measured: a column's heading -> its value."""

    what: str
    values: dict[str, Value]


@dataclass(frozen=True)
class Fault:
    """Something that could not be found out, and why."""

    what: str
    why: str


Row = Check | Figure | Fault
KINDS: dict[str, type[Check] | type[Figure] | type[Fault]] = {"check": Check, "figure": Figure, "fault": Fault}


def as_line(row: Row) -> str:
    return json.dumps({"kind": type(row).__name__.lower(), **asdict(row)})


def from_line(line: str) -> Row:
    """Raises ValueError for a line that is no row."""
    values = json.loads(line)
    try:
        return KINDS[values.pop("kind")](**values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no row: {line!r}") from error
