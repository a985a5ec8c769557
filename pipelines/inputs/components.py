"""The components that a stage's settings use (fm/components.py), found in the code without importing any.

class Path(Component, kind="path"): ...
class Polynomial(Path, name="polynomial", says="..."): ...
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from pipelines.inputs.reach import Definition, Reach
from pipelines.inputs.sources import Code, Source
from pipelines.inputs.syntax import dotted

LIBRARY = "fm"
OWN = "own"
"""The folder of the checkout for one's own components."""


class Components:
    """Every class of the library that is declared a component.

    Attributes:
        bases: kind -> its base class.
        named: kind -> name -> the class.
    """

    def __init__(self, code: Code) -> None:
        self.code = code
        self.bases: dict[str, Definition] = {}
        self.named: dict[str, dict[str, Definition]] = {}
        classes = [
            (source, statement.node)
            for source in code.modules(LIBRARY)
            for statement in source.statements
            if isinstance(statement.node, ast.ClassDef)
        ]
        for source, node in classes:
            if (kind := keyword(node, "kind")) is not None:
                self.bases[kind] = (source.name, node.name)
        for source, node in classes:
            name, kind = keyword(node, "name"), self.kind_of(source, node)
            if name is not None and kind is not None:
                self.named.setdefault(kind, {})[name] = (source.name, node.name)

    def kind_of(self, source: Source, node: ast.ClassDef) -> str | None:
        """What kind a class is of, by its bases; None for a class that is no component."""
        kinds = {base: kind for kind, base in self.bases.items()}
        for base in node.bases:
            place = Reach(self.code, ()).meant(source, dotted(base) or ("",))
            if place is None:
                continue
            found = kinds.get(place) or next((self.kind_of(*one) for one in self.classes_at(place)), None)
            if found is not None:
                return found
        return None

    def classes_at(self, place: Definition) -> Iterator[tuple[Source, ast.ClassDef]]:
        module, name = place
        if (source := self.code.module(module)) is not None:
            for index in source.bound.get(name, ()):
                node = source.statements[index].node
                if isinstance(node, ast.ClassDef):
                    yield source, node

    def follow(self, reach: Reach, settings: Any) -> None:
        """Let `reach` follow every component that settings name, or the code by its kind (`solver="ddim"`), and all of
        each kind that the code deals with and of which settings say nothing."""
        chosen = choices(settings, self.bases)
        for kind, names in chosen.items():
            for name in names:
                reach.definitions_at(self.meant(kind, name))
        for text in options(settings, self.bases):
            for kind in self.bases:
                if text in self.named.get(kind, {}) or own_class(kind, text) is not None:
                    reach.definitions_at(self.meant(kind, text))
        done, named = set(chosen), set[tuple[str, str]]()
        while True:
            by_code = {(kind, name) for kind, name in reach.given if name in self.named.get(kind, {})} - named
            kinds = {kind for kind, base in self.bases.items() if base in reach.dealt_with} - done
            if not by_code and not kinds:
                return
            reach.definitions_at(self.named[kind][name] for kind, name in sorted(by_code))
            for kind in kinds:
                reach.definitions_at(self.named.get(kind, {}).values())
            named |= by_code
            done |= kinds

    def meant(self, kind: str, name: str) -> list[Definition]:
        """The class that a name stands for; all of the kind where it cannot be told."""
        known = self.named.get(kind, {})
        place = known.get(name) or own_class(kind, name)
        if place is not None and self.code.module(place[0]) is not None:
            return [place]
        return list(known.values())


def choices(settings: Any, kinds: Mapping[str, Any]) -> dict[str, set[str]]:
    """Kind -> the names of it in settings: wherever a key is a kind, its value is a name, or options with a name; or
    null, where none of the kind is used."""
    found: dict[str, set[str]] = {}
    for key, value in pairs(settings):
        if key in kinds and value is None:
            found.setdefault(key, set())
        elif key in kinds and (name := name_of(value)) is not None:
            found.setdefault(key, set()).add(name)
    return found


def options(settings: Any, kinds: Mapping[str, Any]) -> set[str]:
    """The names among the options of all choices: an option may be a choice itself, of a kind that its key does not
    say."""
    given = [value for key, value in pairs(settings) if key in kinds and isinstance(value, Mapping)]
    unsaid = [value for choice in given for key, value in pairs(choice) if key not in {"name", "kind", *kinds}]
    return {name for value in unsaid for name in names_in(value)}


def pairs(settings: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, wherever in settings."""
    match settings:
        case Mapping():
            for key, value in settings.items():
                yield key, value
                yield from pairs(value)
        case list():
            for value in settings:
                yield from pairs(value)


def names_in(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if (name := name_of(one)) is not None:
            yield name


def name_of(choice: Any) -> str | None:
    if isinstance(choice, Mapping):
        choice = choice.get("name", choice.get("kind"))
    return choice if isinstance(choice, str) else None


def own_class(kind: str, name: str) -> Definition | None:
    """Where a class lies that is somebody's own: `package.module:Class`, or an entry point of the group `fm.<kind>`."""
    module, colon, its_class = brought().get((kind, name), name).partition(":")
    return (module, its_class) if colon else None


@cache
def brought() -> dict[tuple[str, str], str]:
    """Kind and name -> `package.module:Class`, of what installed packages bring."""
    start, found = f"{LIBRARY}.", entry_points()
    return {
        (group.removeprefix(start), point.name): point.value
        for group in found.groups
        if group.startswith(start)
        for point in found.select(group=group)
    }


def packages_of(settings: Any, kinds: Mapping[str, Any]) -> tuple[str, ...]:
    """The packages that the settings' own classes lie in."""
    named = [(kind, name) for kind, names in choices(settings, kinds).items() for name in names]
    named += [(kind, text) for kind in kinds for text in options(settings, kinds)]
    places = (own_class(kind, name) for kind, name in named)
    return tuple(dict.fromkeys(place[0].partition(".")[0] for place in places if place is not None))


def keyword(node: ast.ClassDef, name: str) -> str | None:
    """The text that a class statement gives its base by a keyword."""
    for one in node.keywords:
        if one.arg == name and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str):
            return one.value.value
    return None
