"""From a choice, as settings have it, to the component."""

import inspect
from collections.abc import Container, Iterator
from dataclasses import MISSING
from typing import Any

from fm.components.fields import Part, options_of, written
from fm.components.naming import Choice, nearest, parts
from fm.components.registry import find, is_there, required
from fm.errors import shown


def read(kind: str, choice: Choice, own: Container[str] = ()) -> Choice:
    """The choice checked; an option that is null where that is the default is left out.

    One's own that is not imported, and may not be, stays as it is: `build` refuses it.

    Raises:
        ValueError: no such name or option, a value that the option cannot have, an option that is missing, or a class
            that lacks methods.
    """
    name, given = parts(choice)
    component = find(kind, name, own)
    if component is None:
        return choice
    if inspect.isabstract(component):
        lacks = ", ".join(sorted(getattr(component, "__abstractmethods__", ())))
        raise ValueError(f"{kind} {name!r} cannot be made: it lacks {lacks}")
    allowed = options_of(component)
    for key in given:
        if key not in allowed:
            have = f"it has {', '.join(allowed)}{nearest(key, allowed)}" if allowed else "it has none"
            raise ValueError(f"{kind} {name!r} has no option {shown(key)}: {have}")
    missing = [each.name for each in allowed.values() if each.default is MISSING and each.name not in given]
    if missing:
        raise ValueError(f"{kind} {name!r} needs {', '.join(missing)}")
    for key, value in given.items():
        if isinstance(part := allowed[key].reader, Part) and isinstance(value, str | dict):
            read(part.kind, value, own)  # which imports what is one's own
            if not all(is_there(*each) for each in ((part.kind, value), *inner(part.kind, value))):
                return choice
    values = {key: written(allowed[key].value(value)) for key, value in given.items()}
    options = {key: value for key, value in values.items() if value is not None or allowed[key].default is not None}
    if allowed:
        component(**options)  # what must hold of them together
    return {"name": name, **options} if options else name


def inner(kind: str, choice: Choice) -> Iterator[tuple[str, Choice]]:
    """The choices among the options of a choice, and among theirs, each with its kind.

    >>> list(inner("objective", {"name": "regression", "path": "cond_ot"}))
    [('path', 'cond_ot')]
    """
    name, given = parts(choice)
    component = find(kind, name)
    allowed = {} if component is None else options_of(component)
    for key, value in given.items():
        if key in allowed and isinstance(part := allowed[key].reader, Part) and isinstance(value, str | dict):
            yield part.kind, value
            yield from inner(part.kind, value)


def build(kind: str, choice: Choice, own: Container[str] = ()) -> Any:
    """The component that is chosen, with its options.

    Args:
        own: what may be imported for it: entry points, `module:Class` or modules by name; ANY for settings that a
            person wrote.

    Raises:
        ValueError: no such name or option, an option that cannot be, or one's own that is not imported.
    """
    name, options = parts(read(kind, choice, own))
    component = required(kind, name, own)
    return component(**options)
