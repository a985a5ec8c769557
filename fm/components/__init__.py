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

from fm.components.choosing import build, inner, read
from fm.components.component import Component
from fm.components.fields import Option, Part, names_schema, options_of, schema, schema_of
from fm.components.naming import PLACE, Choice, label, nearest, parts
from fm.components.registry import ANY, HOMES, OWN, base, entry_points, find, is_there, known, own_place, required
from fm.components.telling import Row, described
from fm.options import option

__all__ = [
    "ANY",
    "HOMES",
    "OWN",
    "PLACE",
    "Choice",
    "Component",
    "Option",
    "Part",
    "Row",
    "base",
    "build",
    "described",
    "entry_points",
    "find",
    "inner",
    "is_there",
    "known",
    "label",
    "names_schema",
    "nearest",
    "option",
    "options_of",
    "own_place",
    "parts",
    "read",
    "required",
    "schema",
    "schema_of",
]
