"""What there is of each kind, and what may be imported to find it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Container, Mapping
from importlib import metadata
from typing import TYPE_CHECKING

from fm.components.naming import PLACE, Choice, nearest, parts, place_of
from fm.errors import shown

if TYPE_CHECKING:
    from fm.components.component import Component

HOMES = {
    "path": "fm.paths",
    "source": "fm.noise_sources",
    "coupling": "fm.couplings",
    "timesteps": "fm.timesteps",
    "target": "fm.targets",
    "weight": "fm.weights",
    "grid": "fm.grids",
    "solver": "fm.solvers",
    "network": "fm.networks",
    "autoencoder": "fm.networks",
    "extractor": "fm.metrics.extractors",
    "measures": "fm.metrics.measures",
    "codec": "fm.codecs",
    "conditioner": "fm.conditions",
    "encoder": "fm.text",
    "dataset": "fm.data.sources",
    "objective": "fm.objectives",
}
"""Where the library's own components of each kind are: they are there once the module is imported."""

BASES: dict[str, type[Component]] = {}
NAMED: dict[str, dict[str, type[Component]]] = {}
OWN: dict[str, dict[str, type[Component]]] = {}
"""What there is of each kind: its base class, those with a name, and those without one by their place."""


class Everything:
    """Has whatever is asked for.

    >>> "my_package.paths" in ANY
    True
    """

    def __contains__(self, name: object) -> bool:
        return True


ANY = Everything()
"""For settings that a person wrote: whatever they name may be imported."""


def base(kind: str) -> type[Component]:
    """The class that every component of a kind inherits from."""
    importlib.import_module(HOMES[kind])
    return BASES[kind]


def known(kind: str) -> Mapping[str, type[Component]]:
    """The components of a kind that have names: the library's, and of others what is imported.

    Module by module, in the order of their names: that of the imports depends on who came first.
    """
    importlib.import_module(HOMES[kind])
    return dict(sorted(NAMED.get(kind, {}).items(), key=lambda item: item[1].__module__))


def is_there(kind: str, choice: Choice) -> bool:
    """Whether a choice can be built as it is: not if it is one's own and not imported."""
    return find(kind, parts(choice)[0]) is not None


def own_place(kind: str, choice: Choice) -> str | None:
    """Where a choice is, if it is somebody's own: what the user of a model that is made with it must name."""
    name, _ = parts(choice)
    found = find(kind, name)
    if found is None:
        return entry_points(kind).get(name, name)
    return None if found.__module__.startswith("fm.") else place_of(found)


def required(kind: str, name: str, own: Container[str] = ()) -> type[Component]:
    """The component of that name. Raises ValueError if there is none, or it is one's own and not imported."""
    component = find(kind, name, own)
    if component is None:
        place = entry_points(kind).get(name, name)
        raise ValueError(
            f"{kind} {name!r} is not the library's: if you trust it, import {place.partition(':')[0]} first, or name "
            f'it when you load what is made with it: Generator.load(folder, own=["{place}"])'
        )
    return component


def find(kind: str, name: str, own: Container[str] = ()) -> type[Component] | None:
    """The component of that name; none if it is one's own, not imported, and may not be.

    Raises:
        ValueError: there is none of that name, or what has it is no component of the kind.
    """
    there = known(kind)
    if name in there:
        return there[name]
    place = entry_points(kind).get(name, name)
    if place in OWN.get(kind, {}):
        return OWN[kind][place]
    if not PLACE.fullmatch(place):
        brought = sorted(entry_points(kind))
        names = [*there, *brought]
        raise ValueError(f"no {kind} {shown(name)}: must be one of {', '.join(names)}{nearest(name, names)}")
    module, _, attribute = place.partition(":")
    if module not in sys.modules:
        if not may_import(own, name, place):
            return None
        bring(kind, place)
    # Not getattr: a module's own __getattr__ could run whatever it likes.
    found = vars(sys.modules[module]).get(attribute)
    if not (isinstance(found, type) and issubclass(found, BASES[kind])):
        raise ValueError(f"no {kind} {shown(name)}: {module} has no class {attribute} of that kind")
    return found


def may_import(own: Container[str], name: str, place: str) -> bool:
    module = place.partition(":")[0]
    packages = [module[:end] for end in range(len(module) + 1) if module[end : end + 1] in ("", ".")]
    allowed: Container[str] = (own,) if isinstance(own, str) else own
    return any(each in allowed for each in (name, place, *packages))


def bring(kind: str, place: str) -> None:
    """Import the module of one's own component. Raises ValueError, with what is wrong."""
    module = place.partition(":")[0]
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{kind} {place}: {module} cannot be imported: {type(error).__name__}: {error}") from error


def entry_points(kind: str) -> dict[str, str]:
    """What installed packages bring of a kind: name -> `module:Class`."""
    return {point.name: point.value for point in metadata.entry_points(group=f"fm.{kind}")}
