"""The setting `dataset.condition`: what networks are told of each picture."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from fm.components import Choice
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


def in_one_line(value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """`text` is short for captions by the usual encoder; where a value is of no kind, pydantic tells of all."""
    if value == TEXT:
        value = {"kind": TEXT}
    if isinstance(value, dict) and value.get("kind") == TEXT:
        return Captions.model_validate(value, context=info.context)
    try:
        return check(value)
    except ValidationError:
        raise ValueError(f"{shown(value)}: must be labels, none, text, or {{kind: text, encoder: ...}}") from None


Condition = Annotated[Literal["labels", "none", "text"] | Captions, WrapValidator(in_one_line)]
