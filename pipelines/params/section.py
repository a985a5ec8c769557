"""What every section of the settings is."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, field_validator
from pydantic_core import CoreSchema

Kind = TypeVar("Kind")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def no_setting_is_yes_or_no(cls, value: Any) -> Any:
        if isinstance(value, bool):  # which pydantic takes for 1 or 0
            raise ValueError(f"{str(value).lower()}: no setting is true or false")
        return value

    @classmethod
    def filled(cls) -> list[str]:
        """The keys of what is Filled."""
        return [field.alias or key for key, field in cls.model_fields.items() if NULL in field.metadata]


class MayBeNull:
    """What people write may be null, says the JSON schema."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(core), {"type": "null"}]}


NULL = MayBeNull()
Filled = Annotated[Kind, NULL]
"""A setting that may be null in params.yaml, and is filled in (pipelines.params.defaults) before it is checked: what
the pipeline gets is never null."""
