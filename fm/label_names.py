"""Which label is meant, where people give its name or a number."""

import re
from collections.abc import Sequence
from decimal import Decimal

from fm.errors import shown

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
MOST_LISTED = 20


def label_index(label: str, names: Sequence[str]) -> int:
    """The index of the label that is called so, in any case.

    A number names the label of that value: with classes 01, 02 and 03, both "2" and "02" are the one called 02. Only
    where no label is called by a number is it an index, counted from 0.

    Raises:
        ValueError: there is no such label, or it could be several; with those there are.
    """
    values = [value_of(name) for name in names]
    numbered = any(value is not None for value in values)
    value = value_of(label)
    readings = [
        [index for index, name in enumerate(names) if name == label],
        [index for index, name in enumerate(names) if name.casefold() == label.casefold()],
        [index for index, other in enumerate(values) if value is not None and other == value],
        [int(value)] if value is not None and label.isdecimal() and value < len(names) and not numbered else [],
    ]
    found = next((reading for reading in readings if reading), [])
    if len(found) == 1:
        return found[0]
    if not names:
        raise ValueError(f"no label {shown(label)}: there are none")
    known = listed(names, numbered)
    if found:
        raise ValueError(
            f"label {shown(label)} could be {' or '.join(names[i] for i in found[:2])}; the labels are {known}"
        )
    raise ValueError(f"no label {shown(label)}; the labels are {known}")


def value_of(name: str) -> Decimal | None:
    return Decimal(name) if NUMBER.fullmatch(name) else None


def listed(names: Sequence[str], numbered: bool) -> str:
    """The labels as one can ask for them: by name, and by index where no name is a number."""
    told = [name if numbered else f"{index} ({name})" for index, name in enumerate(names[:MOST_LISTED])]
    more = [f"and {len(names) - MOST_LISTED} more"] if len(names) > MOST_LISTED else []
    return ", ".join(told + more)
