"""Things made by name: those of the library and your own in fm/custom.py."""

from collections.abc import Mapping
from typing import Any

from fm import names
from fm.names import Choice


def build(kind: str, choice: Choice, known: Mapping[str, Any]) -> Any:
    """What `choice` names among the `known` ones and those of fm/custom.py, made with its options.

    Raises:
        ValueError: no such name or option, or an option that cannot be.
    """
    from fm import custom  # which imports the modules that import this one

    name, options = names.read(kind, choice, custom.options(kind))
    try:
        return {**known, **custom.REGISTERED.get(kind, {})}[name](**options)
    except TypeError as error:
        raise ValueError(f"{kind} {name!r} does not take {options}: {error}") from None


def require_options(kind: str, made: Any, known: Mapping[str, Any]) -> None:
    """That one of the library's own, however it was made, has options that can be. Raises ValueError."""
    for name, its_class in known.items():
        if its_class is type(made):
            names.require(kind, name, **vars(made))
