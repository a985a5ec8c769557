"""What the library's components say of themselves, as tables show it."""

from dataclasses import MISSING
from typing import NamedTuple

from fm.components.fields import Option, options_of, written
from fm.components.registry import known
from fm.options import as_yaml


class Row(NamedTuple):
    """A component in a table: its options with default and bounds, and what its kind shows beside (columns).

    >>> described("path")[1].options
    ['`n` = 2: exponent of t (a number above 0 and at most 100)']
    """

    name: str
    says: str
    formula: str
    options: list[str]
    others: list[str]
    source: str


def described(kind: str) -> list[Row]:
    """The library's components of a kind, as tables show them."""
    return [
        Row(
            name,
            each.says,
            each.formula,
            [option_in_words(one) for one in options_of(each).values()],
            [str(getattr(each, attribute) or "") for attribute in each.columns.values()],
            each.published,
        )
        for name, each in known(kind).items()
        if each.__module__.startswith("fm.")
    ]


def option_in_words(one: Option) -> str:
    """`n` = 2: exponent of t (a number above 0 and at most 100)."""
    default = "" if one.default is MISSING else f" = {as_yaml(written(one.default))}"
    return f"`{one.name}`{default}: {one.says} ({one.reader})" if one.says else f"`{one.name}`{default} ({one.reader})"
