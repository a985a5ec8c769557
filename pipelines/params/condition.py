"""The setting `dataset.condition`: what networks are told of each datum."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import CoreSchema

from fm.components import Choice, known, options_of
from fm.components.fields import Option
from fm.components.naming import nearest
from fm.conditions import Given
from fm.config import Chosen
from fm.errors import shown

TEXT = "text"
ENCODER = "minilm"
"""What reads captions where nothing else is said: its weights come as a package."""


class Captions(BaseModel):
    """Its caption, read by a frozen encoder: `{kind: text, encoder: {name: minilm, length: 24}}`, or `text` alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["text"]
    encoder: Annotated[Choice, Chosen("encoder")] = ENCODER


class Part(BaseModel):
    """A part of the datum itself (fm.conditions.given), with its options: `{kind: first_frames, count: 4}`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str

    @model_validator(mode="after")
    def options_are_its_own(self) -> Self:
        allowed = options(self.kind)
        for key, value in self.options.items():
            if key not in allowed:
                raise ValueError(
                    f"{self.kind} has no option {shown(key)}: it has {', '.join(allowed)}{nearest(key, allowed)}"
                )
            allowed[key].value(value)
        return self

    @classmethod
    def of(cls, given: Given) -> Self:
        """What a conditioner is, but for the data's shape."""
        return cls(kind=given.name, **{name: getattr(given, name) for name in options(given.name)})

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def in_words(self) -> str:
        """
        >>> Part(kind="first_frames", count=4).in_words
        'first_frames, count 4'
        """
        return ", ".join([self.kind, *(f"{name} {value}" for name, value in self.options.items())])

    @property
    def choice(self) -> Choice:
        """As fm.components has it, but for the data's shape."""
        return {"name": self.kind, **self.options}

    def conditioner(self, shape: Sequence[int]) -> Given:
        """Of data of this shape as modelled. Raises ValueError: they have no such part."""
        return Given.of({"name": self.kind, "shape": list(shape), **self.options})

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [schema_of_part(name) for name in parts()]}


def parts() -> list[str]:
    """The kinds of conditions that are a part of the datum."""
    return [name for name, one in known("conditioner").items() if issubclass(one, Given)]


def options(kind: str) -> Mapping[str, Option]:
    """Those that are set; the shape is the data's, and nothing else is told beside a part."""
    every = options_of(known("conditioner")[kind])
    return {name: one for name, one in every.items() if name not in ("shape", "beside")}


def usual(kind: str) -> dict[str, Any]:
    """What its options are where nobody says anything."""
    return {name: one.default for name, one in options(kind).items() if one.default is not MISSING}


def schema_of_part(kind: str) -> dict[str, Any]:
    own = {name: {**one.reader.schema(), "description": one.says} for name, one in options(kind).items()}
    return {
        "type": "object",
        "description": known("conditioner")[kind].says,
        "properties": {"kind": {"const": kind}, **own},
        "required": ["kind"],
        "additionalProperties": False,
    }


def in_one_line(value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """`text` is short for captions by the usual encoder, a part's name for it with its usual options; where a value
    is of no kind, pydantic tells of all."""
    given = {"kind": value} if value == TEXT or value in parts() else value
    kind = given.get("kind") if isinstance(given, dict) else None
    if kind == TEXT:
        return Captions.model_validate(given, context=info.context)
    if kind in parts():
        return Part.model_validate(usual(kind) | given)
    try:
        return check(value)
    except ValidationError:
        raise ValueError(
            f"{shown(value)}: must be labels, none, text, {{kind: text, encoder: ...}}, or a part of the datum, "
            f"{', '.join(parts())}, like {{kind: first_frames, count: 4}}"
        ) from None


Condition = Annotated[Literal["labels", "none", "text"] | Captions | Part, WrapValidator(in_one_line)]
