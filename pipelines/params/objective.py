"""What a row's network learns: the five parts of a regression, or another objective by its name."""

from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from fm import components
from fm.components import Choice
from fm.config import CouplingChoice, PathChoice, SourceChoice, TargetChoice, TimestepsChoice, WeightChoice
from pipelines.params.section import Section

REGRESSION = "regression"
WHITE = "white"
"""The source of a row that names none."""


class Objective(Section):
    """Least squares of a quantity along a path."""

    path: PathChoice
    source: SourceChoice = WHITE
    coupling: CouplingChoice
    timesteps: TimestepsChoice
    target: TargetChoice
    weight: WeightChoice

    guided: ClassVar[bool] = False
    differences: ClassVar[bool] = False

    @model_serializer(mode="wrap")
    def without_what_is_usual(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """White noise is what it is without a word, as it was before there was any other."""
        content: dict[str, Any] = written(self)
        return {key: value for key, value in content.items() if key != "source" or value != WHITE}

    @property
    def choice(self) -> Choice:
        """As fm.components has it."""
        return {"name": REGRESSION, **self.model_dump()}


class OtherObjective(BaseModel):
    """Any other, its options beside its name: `{name: my_package.objectives:Huber, path: cond_ot, delta: 2}`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    path: Choice

    @model_validator(mode="before")
    @classmethod
    def is_known(cls, content: Any, info: ValidationInfo) -> Any:
        chosen = components.read("objective", content, (info.context or {}).get("own", ()))
        name, options = components.parts(chosen)
        return {"name": name, **options}

    @property
    def choice(self) -> Choice:
        return self.model_dump()

    @property
    def source(self) -> Choice:
        source: Choice = (self.model_extra or {}).get("source", WHITE)
        return source

    @property
    def guided(self) -> bool:
        """As fm.objectives has it, and the next one too."""
        return bool(components.build("objective", self.choice).guided)

    @property
    def differences(self) -> bool:
        return bool(components.build("objective", self.choice).differences)

    @property
    def target(self) -> Choice:
        """What its network predicts: a velocity, unless it can be chosen."""
        target: Choice = (self.model_extra or {}).get("target", "velocity")
        return target

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        known = components.known("objective")
        others = [components.schema_of(name, one) for name, one in known.items() if name != REGRESSION]
        own = {"type": "string", "pattern": f"^{components.PLACE.pattern}$"}
        ones_own = {"type": "object", "properties": {"name": own}, "required": ["name", "path"]}
        return {"anyOf": [*others, ones_own]}


def by_its_name(value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> "OtherObjective | Objective":
    """Which of the two it is, so that a mistake is told of that one alone."""
    kind = OtherObjective if isinstance(value, dict) and value.get("name", REGRESSION) != REGRESSION else Objective
    made: OtherObjective | Objective = kind.model_validate(value, context=info.context)
    return made
