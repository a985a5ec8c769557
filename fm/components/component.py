"""What a component is: the base of all kinds, by which each is declared."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, dataclass_transform

from fm.components.choosing import build
from fm.components.fields import options_of, written
from fm.components.naming import Choice, place_of
from fm.components.registry import BASES, NAMED, OWN


@dataclass_transform(frozen_default=True)
class Component:
    """What can be chosen by name; a subclass's annotated fields are its options, and it is made a frozen dataclass.

    Attributes:
        kind: what it is a choice of.
        name: what it is called in settings: a name, or `module:Class` for one's own.
        title: what people call it, in a word or two.
        says: what it is, in a part of a sentence.
        published: where, as the class statement's `source` says.
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
    published: ClassVar[str] = ""
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
        cls.says, cls.published, cls.formula = says, source, formula
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
