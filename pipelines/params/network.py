"""The section `network`, the common one's and a method's own: a kind of network, and options of that kind beside it."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic_core import CoreSchema

from fm import components
from fm.components import Choice
from fm.errors import shown

NO_KEY = "name"  # what a choice calls the kind


class Network(BaseModel):
    """One of the networks: `{kind: unet, width: 64}`, or one's own, `{kind: my_package.nets:Tiny, depth: 3}`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str

    @model_validator(mode="before")
    @classmethod
    def is_known(cls, content: Any, info: ValidationInfo) -> Any:
        if isinstance(content, cls):
            return content
        if not isinstance(content, dict) or "kind" not in content:
            raise ValueError(f"must be like {{kind: unet, width: 64}}, not {shown(content)}")
        if NO_KEY in content:
            raise ValueError(f"there is no such setting as {NO_KEY}; did you mean kind?")
        options = {key: value for key, value in content.items() if key != "kind"}
        own = (info.context or {}).get("own", ())
        kind, options = components.parts(components.read("network", {**options, "name": content["kind"]}, own))
        return {"kind": kind, **options}

    @property
    def choice(self) -> Choice:
        """As fm.components has it."""
        return {"name": self.kind, **(self.model_extra or {})}

    @classmethod
    def options(cls) -> dict[str, None]:
        """The keys beside `kind` that the library's networks have, in their order, but for those from elsewhere."""
        known = [one for one in components.known("network").values() if not getattr(one, "from_elsewhere", False)]
        return {key: None for one in known for key in components.options_of(one)}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        known = {name: components.schema_of(name, one) for name, one in components.known("network").items()}
        own = {"type": "string", "pattern": f"^{components.PLACE.pattern}$"}
        ones_own = {"type": "object", "properties": {"kind": own}, "required": ["kind"]}
        return {"anyOf": [*(of_kind(name, one, cls.options()) for name, one in known.items()), ones_own]}


def of_kind(name: str, choice: dict[str, Any], all_options: Iterable[str]) -> dict[str, Any]:
    """JSON schema of the section with one of the library's networks: where all is null it is any of them."""
    options = {key: {"anyOf": [one, {"type": "null"}]} for key, one in choice["properties"].items() if key != "name"}
    of_others = {key: {"type": "null"} for key in all_options if key not in options}
    return {
        "type": "object",
        "description": choice["description"],
        "properties": {"kind": {"enum": [name, None]}, **options, **of_others},
        "additionalProperties": False,
    }
