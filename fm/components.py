"""Components: whatever can be chosen by name, each declared once. Importable without PyTorch.

A kind is a base class in the kind's home module, a component is a subclass with its options as fields:

    class Path(Component, kind="path"): ...

    class Polynomial(Path, name="polynomial", says="a polynomial path from noise to data", source="arXiv 2412.06264"):
        n: float = option(2.0, above=0, most=100, says="exponent of t")

A choice is a name, or a mapping with a name and options: `polynomial` or `{name: polynomial, n: 3}`. One's own
component has no name, and is called by where it is: `my_package.paths:Squared`. A package that brings several gives
them names as entry points of the group `fm.<kind>`.

What is one's own is imported only for who names it: settings that a person wrote may name anything (ANY), the
config.json of a model only what its user names too, since whoever made the file could be a stranger. What the user has
imported already needs no naming.
"""

import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Container, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from importlib import metadata
from typing import Any, ClassVar, NamedTuple, Self, cast, dataclass_transform, get_type_hints

from fm.errors import shown
from fm.options import NONE, Bounds, Reader, Schema, as_yaml, option, reader_of

__all__ = ["ANY", "HOMES", "Choice", "Component", "build", "known", "label", "option", "parts", "read", "schema"]

Choice = str | dict[str, Any]

HOMES = {
    "path": "fm.paths",
    "coupling": "fm.couplings",
    "timesteps": "fm.timesteps",
    "target": "fm.targets",
    "weight": "fm.weights",
    "grid": "fm.grids",
    "solver": "fm.solvers",
    "network": "fm.networks",
    "extractor": "fm.metrics.extractors",
    "codec": "fm.codecs",
    "conditioner": "fm.conditions",
    "dataset": "fm.data.sources",
    "objective": "fm.objectives",
}
"""Where the library's own components of each kind are: they are there once the module is imported."""

PLACE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
"""What one's own component is called: a module, a colon, a class."""

BASES: dict[str, type["Component"]] = {}
NAMED: dict[str, dict[str, type["Component"]]] = {}
OWN: dict[str, dict[str, type["Component"]]] = {}
"""What there is of each kind: with a name, and without one by its place."""


class Everything:
    """Has whatever is asked for.

    >>> "my_package.paths" in ANY
    True
    """

    def __contains__(self, name: object) -> bool:
        return True


ANY = Everything()
"""For settings that a person wrote: whatever they name may be imported."""


@dataclass_transform(frozen_default=True)
class Component:
    """What can be chosen by name; a subclass's annotated fields are its options, and it is made a frozen dataclass.

    Attributes:
        kind: what it is a choice of.
        name: what it is called in settings: a name, or `module:Class` for one's own.
        title: what people call it, in a word or two.
        says: what it is, in a part of a sentence.
        source: where it is published.
        formula: what it computes, in Markdown.
        columns: what else the table of the kind shows: a column's heading -> an attribute of the classes.

    Raises:
        ValueError: when made, if an option cannot be; the message says which and what it can be.

    >>> build("path", {"name": "polynomial", "n": 3}).choice
    {'name': 'polynomial', 'n': 3}
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    title: ClassVar[str]
    says: ClassVar[str] = ""
    source: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    columns: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(
        cls,
        *,
        kind: str | None = None,
        name: str | None = None,
        title: str | None = None,
        says: str = "",
        source: str = "",
        formula: str = "",
        **others: Any,
    ) -> None:
        super().__init_subclass__(**others)
        if "__init__" not in vars(cls):  # else it is made as it likes, and has no options
            dataclass(frozen=True)(cls)
        if kind is not None:
            cls.kind = kind
            BASES[kind] = cls
            return
        cls.name = name or place_of(cls)
        cls.title = title or (name or cls.__qualname__).replace("_", " ")
        cls.says, cls.source, cls.formula = says, source, formula
        if name is None:
            OWN.setdefault(cls.kind, {})[cls.name] = cls
            return
        other = NAMED.setdefault(cls.kind, {}).setdefault(name, cls)
        if place_of(other) != place_of(cls):
            raise TypeError(f"{place_of(cls)}: {place_of(other)} is the {cls.kind} {name!r} already")
        NAMED[cls.kind][name] = cls

    def __post_init__(self) -> None:
        for each in options_of(type(self)).values():
            object.__setattr__(self, each.name, each.value(getattr(self, each.name)))
        self.check()

    def check(self) -> None:
        """What must hold of the options together. Raises ValueError."""

    @classmethod
    def of(cls, choice: Choice, own: Container[str] = ()) -> Self:
        """The component of this kind that is chosen (build)."""
        made: Self = build(cls.kind, choice, own)
        return made

    @property
    def choice(self) -> Choice:
        """The choice that this is, with the options that are not the default ones."""
        values = {each: getattr(self, each.name) for each in options_of(type(self)).values()}
        given = {each.name: written(value) for each, value in values.items() if value != each.default}
        return {"name": self.name, **given} if given else self.name


@dataclass(frozen=True, eq=False)
class Option:
    """One option of a component.

    Attributes:
        of: the component, as messages call it.
        default: MISSING where it must be given.

    >>> options_of(known("path")["polynomial"])["n"].default
    2.0
    """

    of: str
    name: str
    default: Any
    reader: Reader
    says: str

    def value(self, given: Any) -> Any:
        """Raises ValueError, with what the option can be."""
        try:
            return self.reader.read(given)
        except ValueError as error:
            raise ValueError(f"{self.of}: {self.name} = {error}") from None


def options_of(component: type[Component]) -> dict[str, Option]:
    """The options of a component by name. Raises TypeError for a field of no type that an option can have."""
    if component not in OPTIONS:
        of = cast(Any, component)  # a dataclass, which no annotation says
        hints = get_type_hints(of)
        OPTIONS[of] = {each.name: option_of(of, each, hints[each.name]) for each in fields(of) if each.init}
    return OPTIONS[component]


OPTIONS: dict[Any, dict[str, Option]] = {}
"""Those of the classes that were asked for."""


def option_of(component: type[Component], field: Field[Any], annotation: Any) -> Option:
    bounds: Bounds = field.metadata.get("bounds", NONE)
    try:
        reader = reader_of(annotation, bounds, part_of)
    except TypeError as error:
        raise TypeError(f"{place_of(component)}: {field.name}: {error}") from None
    return Option(called(component), field.name, field.default, reader, bounds.says)


@dataclass(frozen=True)
class Part:
    """A component of some kind, as the option of another: a choice, or the component itself.

    >>> Part("path").read("cond_ot")
    CondOT()
    """

    kind: str

    def read(self, value: Any) -> Component:
        if isinstance(value, Component) and value.kind == self.kind:
            return value
        made: Component = build(self.kind, value)
        return made

    def __str__(self) -> str:
        return f"a {self.kind}"

    def schema(self) -> Schema:
        return schema(self.kind)


def part_of(annotation: Any) -> Reader | None:
    is_kind = isinstance(annotation, type) and issubclass(annotation, Component) and annotation in BASES.values()
    return Part(annotation.kind) if is_kind else None


def called(component: type[Component]) -> str:
    """A component as messages call it: `path 'edm'`."""
    return f"{component.kind} {component.name!r}"


def place_of(component: type[Component]) -> str:
    """Where a class is: `module:Class`."""
    return f"{component.__module__}:{component.__qualname__}"


def written(value: Any) -> Any:
    """An option's value as JSON and YAML have it."""
    if isinstance(value, Component):
        return value.choice
    return [written(each) for each in value] if isinstance(value, tuple) else value


# Choices.


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
        if isinstance(part := allowed[key].reader, Part) and not isinstance(value, Component):
            read(part.kind, value, own)  # which imports what is one's own
    values = {key: written(allowed[key].value(value)) for key, value in given.items()}
    options = {key: value for key, value in values.items() if value is not None or allowed[key].default is not None}
    if allowed:
        component(**options)  # what must hold of them together
    return {"name": name, **options} if options else name


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


def nearest(name: str, names: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {found[0]}?" if found else ""


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


# What is told of them.


def schema(kind: str) -> Schema:
    """JSON schema of a choice."""
    with_options = [schema_of(name, each) for name, each in known(kind).items() if options_of(each)]
    one_of_ones_own = {"type": "object", "properties": {"name": OWN_SCHEMA}, "required": ["name"]}
    return {"anyOf": [*names_schema(kind), *with_options, one_of_ones_own]}


OWN_SCHEMA: Schema = {"type": "string", "pattern": f"^{PLACE.pattern}$"}


def names_schema(kind: str) -> list[Schema]:
    """JSON schemas of a choice without options, one for each name and one for one's own."""
    there = known(kind)
    names = [{"const": name, "description": each.says} for name, each in there.items()]
    names += [{"const": name, "description": place} for name, place in entry_points(kind).items() if name not in there]
    return [*names, OWN_SCHEMA]


def schema_of(name: str, component: type[Component]) -> Schema:
    options = options_of(component).values()
    properties = {each.name: {**each.reader.schema(), "description": each.says} for each in options}
    needed = [each.name for each in options if each.default is MISSING]
    return {
        "type": "object",
        "description": component.says,
        "properties": {"name": {"const": name}, **properties},
        "required": ["name", *needed],
        "additionalProperties": False,
    }


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
            each.source,
        )
        for name, each in known(kind).items()
        if each.__module__.startswith("fm.")
    ]


def option_in_words(one: Option) -> str:
    """`n` = 2: exponent of t (a number above 0 and at most 100)."""
    default = "" if one.default is MISSING else f" = {as_yaml(written(one.default))}"
    return f"`{one.name}`{default}: {one.says} ({one.reader})" if one.says else f"`{one.name}`{default} ({one.reader})"
