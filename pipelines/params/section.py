"""What every section of the settings is."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationInfo, field_validator
from pydantic_core import CoreSchema

from fm.errors import shown

Kind = TypeVar("Kind")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def no_other_is_true_or_false(cls, value: Any, field: ValidationInfo) -> Any:
        """Pydantic takes them for 1 and 0, and 1 and 0 for them."""
        is_switch = cls.model_fields[str(field.field_name)].annotation is bool
        if isinstance(value, bool) and not is_switch:
            raise ValueError(f"{str(value).lower()}: this setting is not true or false")
        if is_switch and not isinstance(value, bool):
            raise ValueError(f"{shown(value)}: must be true or false")
        return value


class MayBeNull:
    """What people write may be null, says the JSON schema."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(core), {"type": "null"}]}


NULL = MayBeNull()
Filled = Annotated[Kind, NULL]
"""A setting that may be null in params.yaml, and is filled in (pipelines.params.defaults) before it is checked: what
the pipeline gets is never null."""
