"""What the options of a component may be, from their annotations and bounds. Importable without PyTorch.

    class Polynomial(Path, name="polynomial"):
        n: float = option(2.0, above=0, most=100, says="exponent of t")

`float` becomes a Number above 0 and at most 100: it reads what settings or Python give, says what would be right, and
knows its JSON schema. There are int, float, bool, str, Literal, tuples of one of them of any length, and unions.
"""

import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from typing import Any, Literal, Protocol, Union, get_args, get_origin

from fm.errors import shown

Schema = dict[str, Any]


@dataclass(frozen=True)
class Bounds:
    """What is said of an option beside its type.

    Attributes:
        least, most: included.
        above, below: excluded.
        multiple_of: what a number is a whole multiple of.
        choices: the only values there are.
        length: the fewest and the most entries of a tuple; the bounds above are those of each entry.
        says: what the option is, in a few words.

    >>> str(Number(Bounds(above=0, most=100)))
    'a number above 0 and at most 100'
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    multiple_of: int | None = None
    choices: tuple[Any, ...] = ()
    length: tuple[int, int] | None = None
    says: str = ""


NONE = Bounds()


def option(
    default: Any = MISSING,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    multiple_of: int | None = None,
    choices: tuple[Any, ...] = (),
    length: tuple[int, int] | None = None,
    says: str = "",
) -> Any:
    """A field of a component, with its bounds (Bounds). Without a default it must be given."""
    bounds = Bounds(least, most, above, below, multiple_of, choices, length, says)
    return field(default=default, metadata={"bounds": bounds})


class Reader(Protocol):
    """What a value may be. Its `str` completes "must be".

    >>> class Even:
    ...     def read(self, value):
    ...         return 2 * (value // 2)
    ...     def schema(self):
    ...         return {"type": "integer", "multipleOf": 2}
    ...     def __str__(self):
    ...         return "an even number"
    >>> Many(Even(), length=None).read([1, 4])
    (0, 4)
    """

    def read(self, value: Any) -> Any:
        """The value as the component gets it. Raises ValueError for what cannot be; the message says what can."""

    def schema(self) -> Schema:
        """The same as JSON schema."""


def refused(value: object, reader: Reader) -> ValueError:
    return ValueError(f"{shown(value)}: must be {reader}")


@dataclass(frozen=True)
class Number:
    """A finite number within bounds, also where YAML takes it for text, as it does 1e-5.

    >>> Number(Bounds(least=1), whole=True).read("1e3")
    1000
    """

    bounds: Bounds
    whole: bool = False

    def read(self, value: Any) -> int | float:
        number = as_number(value)
        if number is None or not self._allows(number):
            raise refused(value, self)
        return int(number) if self.whole else number

    def _allows(self, number: float) -> bool:
        b = self.bounds
        return (
            (b.least is None or b.least <= number)
            and (b.above is None or b.above < number)
            and (b.most is None or number <= b.most)
            and (b.below is None or number < b.below)
            and (not self.whole or number == int(number))
            and (b.multiple_of is None or number % b.multiple_of == 0)
        )

    def __str__(self) -> str:
        b = self.bounds
        words = ["a whole number" if self.whole else "a number"]
        if b.least is not None and b.most is not None:
            words.append(f"from {b.least:g} to {b.most:g}")
        else:
            low = f"above {b.above:g}" if b.above is not None else "" if b.least is None else f"from {b.least:g} up"
            high = f"below {b.below:g}" if b.below is not None else "" if b.most is None else f"at most {b.most:g}"
            words.append(" and ".join(filter(None, [low, high])))
        return " ".join(filter(None, words)) + (f", a multiple of {b.multiple_of}" if b.multiple_of else "")

    def schema(self) -> Schema:
        b = self.bounds
        limits = {
            "minimum": b.least,
            "maximum": b.most,
            "exclusiveMinimum": b.above,
            "exclusiveMaximum": b.below,
            "multipleOf": b.multiple_of,
        }
        kind = "integer" if self.whole else "number"
        return {"type": kind, **{name: limit for name, limit in limits.items() if limit is not None}}


def as_number(value: object) -> int | float | None:
    """A finite number, from text too; none for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return number if isinstance(value, str) else value


@dataclass(frozen=True)
class OneOf:
    """One of a few values, each of its own type: `true` is no 1.

    >>> str(OneOf((True, None, "auto")))
    'one of true, null, auto'
    """

    values: tuple[Any, ...]

    def read(self, value: Any) -> Any:
        if not any(type(value) is type(each) and value == each for each in self.values):
            raise refused(value, self)
        return value

    def __str__(self) -> str:
        words = [as_yaml(each) for each in self.values]
        return words[0] if len(words) == 1 else f"one of {', '.join(words)}"

    def schema(self) -> Schema:
        return {"enum": list(self.values)}


@dataclass(frozen=True)
class Text:
    """Any text.

    >>> Text().read("auto")
    'auto'
    """

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise refused(value, self)
        return value

    def __str__(self) -> str:
        return "a text"

    def schema(self) -> Schema:
        return {"type": "string"}


@dataclass(frozen=True)
class Many:
    """A list of one kind of entry, which the component gets as a tuple.

    >>> Many(Number(Bounds(), whole=True), length=(1, 3)).read([1, 2])
    (1, 2)
    """

    entry: Reader
    length: tuple[int, int] | None

    def read(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise refused(value, self)
        if self.length is not None and not self.length[0] <= len(value) <= self.length[1]:
            raise refused(value, self)
        try:
            return tuple(self.entry.read(each) for each in value)
        except ValueError:
            raise refused(value, self) from None

    def __str__(self) -> str:
        many = "" if self.length is None else f" {self.length[0]} to {self.length[1]}"
        if self.length is not None and self.length[0] == self.length[1]:
            many = f" {self.length[0]}"
        return f"a list of{many} entries, each {self.entry}"

    def schema(self) -> Schema:
        limits = {} if self.length is None else dict(zip(("minItems", "maxItems"), self.length, strict=True))
        return {"type": "array", "items": self.entry.schema(), **limits}


@dataclass(frozen=True)
class Either:
    """What one of several can read, the first that can.

    >>> str(Either((Number(Bounds(above=0)), NULL)))
    'a number above 0, or null'
    """

    readers: tuple[Reader, ...]

    def read(self, value: Any) -> Any:
        for reader in self.readers:
            try:
                return reader.read(value)
            except ValueError:
                continue
        raise refused(value, self)

    def __str__(self) -> str:
        return ", or ".join(map(str, self.readers))

    def schema(self) -> Schema:
        return {"anyOf": [reader.schema() for reader in self.readers]}


def reader_of(annotation: Any, bounds: Bounds, other: Callable[[Any], Reader | None]) -> Reader:
    """What an annotation with bounds may be.

    Args:
        other: what reads an annotation that is none of those of this module; none if nothing does.

    Raises:
        TypeError: nothing reads it.
    """
    if bounds.choices:
        return OneOf(bounds.choices)
    if get_origin(annotation) in (Union, types.UnionType):
        readers = [reader_of(each, bounds, other) for each in get_args(annotation)]
        return Either(tuple(sorted(readers, key=lambda one: one == NULL)))  # null is said last
    if get_origin(annotation) is Literal:
        return OneOf(get_args(annotation))
    if get_origin(annotation) is tuple and get_args(annotation)[1:] == (...,):
        return Many(reader_of(get_args(annotation)[0], bounds, other), bounds.length)
    simple: Mapping[Any, Reader] = {
        int: Number(bounds, whole=True),
        float: Number(bounds),
        bool: OneOf((True, False)),
        str: Text(),
        type(None): NULL,
    }
    found = simple.get(annotation) if isinstance(annotation, type) else None
    found = found or other(annotation)
    if found is None:
        raise TypeError(f"an option cannot be of type {annotation}")
    return found


NULL = OneOf((None,))


def as_yaml(value: object) -> str:
    """A value as params.yaml would say it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, int | float) else str(value)
