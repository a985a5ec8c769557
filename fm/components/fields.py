"""The options of a component: the annotated fields of its class, and the JSON schema that follows from them."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, fields
from typing import TYPE_CHECKING, Any, cast, get_type_hints

from fm.components.naming import PLACE, called, place_of
from fm.components.registry import BASES, base, entry_points, known
from fm.options import NONE, Bounds, Reader, Schema, reader_of

if TYPE_CHECKING:
    from fm.components.component import Component


@dataclass(frozen=True, eq=False)
class Option:
    """One option of a component.

    Attributes:
        of: the component, as messages call it.
        default: MISSING where it must be given.

    >>> from fm.components import known
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
        kind = base(self.kind)
        return value if isinstance(value, kind) else kind.of(value)

    def __str__(self) -> str:
        return f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}"

    def schema(self) -> Schema:
        return schema(self.kind)


def part_of(annotation: Any) -> Reader | None:
    return next((Part(kind) for kind, its_base in BASES.items() if annotation is its_base), None)


def written(value: Any) -> Any:
    """An option's value as JSON and YAML have it."""
    if any(isinstance(value, its_base) for its_base in BASES.values()):
        return value.choice
    return [written(each) for each in value] if isinstance(value, tuple) else value


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
