"""What components are called: in settings, by where they are, in a file's name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fm.errors import shown

if TYPE_CHECKING:
    from fm.components.component import Component

Choice = str | dict[str, Any]

PLACE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
"""What one's own component is called: a module, a colon, a class."""


def parts(choice: Choice) -> tuple[str, dict[str, Any]]:
    """The name and the options of a choice. Raises ValueError for a mapping without a name."""
    if isinstance(choice, str):
        return choice, {}
    if not isinstance(choice, dict) or not isinstance(choice.get("name"), str):
        raise ValueError(f"{shown(choice)}: must be a name, or have a name")
    return choice["name"], {key: value for key, value in choice.items() if key != "name"}


def label(choice: Choice) -> str:
    """A choice in one word, fit for a file's name: `edm-churn40`; one's own is called by its class alone."""
    name, options = parts(choice)
    given = [key + as_word(value) for key, value in sorted(options.items()) if value is not None]
    return "-".join([re.split("[:.]", name)[-1], *given])


def as_word(value: object) -> str:
    if value == "codec":  # what the data say themselves needs no saying
        return ""
    if isinstance(value, list | tuple):
        return "x".join(as_word(each) for each in value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if is_number else re.sub(r"[^A-Za-z0-9.]+", "_", str(value))


def called(component: type[Component]) -> str:
    """A component as messages call it: `path 'edm'`."""
    return f"{component.kind} {component.name!r}"


def place_of(component: type[Component]) -> str:
    """Where a class is: `module:Class`."""
    return f"{component.__module__}:{component.__qualname__}"


def nearest(name: str, names: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {found[0]}?" if found else ""
