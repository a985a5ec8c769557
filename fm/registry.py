"""Things made by name: those of the library and your own in fm/custom.py."""

from collections.abc import Mapping
from typing import Any

from fm.names import Choice, parts


def build(kind: str, choice: Choice, known: Mapping[str, Any]) -> Any:
    """What `choice` names among the `known` ones and those of fm/custom.py, made with its options.

    Raises:
        ValueError: no such name or option, or an option that cannot be.
    """
    from fm import custom  # which imports the modules that import this one

    name, options = parts(choice)
    available = {**known, **custom.REGISTERED.get(kind, {})}
    if name not in available:
        raise ValueError(f"no {kind} {name!r}: there are {', '.join(available)}")
    try:
        return available[name](**options)
    except TypeError as error:
        raise ValueError(f"{kind} {name!r} does not take {options}: {error}") from None
