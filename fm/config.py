"""What a generator is made of, as its config.json and params.yaml say it. Importable without PyTorch."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator
from pydantic import Field as Setting
from pydantic_core import CoreSchema, core_schema

from fm import components
from fm.components import Choice
from fm.errors import shown

MOST_STEPS, MOST_GUIDANCE = 10_000, 100


@dataclass(frozen=True)
class Chosen:
    """That a choice is one of a kind of components, with options that it can have.

    A validation's context says what may be imported for it: `own`, as components.read takes it, nothing if it is not
    there.
    """

    kind: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return components.schema(self.kind)

    def check(self, choice: Choice, info: core_schema.ValidationInfo) -> Choice:
        return components.read(self.kind, choice, (info.context or {}).get("own", ()))


class ChosenByName(Chosen):
    """The same where only a name can be said, no options."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"anyOf": components.names_schema(self.kind)}

    def check(self, choice: Choice, info: core_schema.ValidationInfo) -> Choice:
        if not isinstance(choice, str):
            raise ValueError(f"{shown(choice)}: must be a name")
        return super().check(choice, info)


PathChoice = Annotated[Choice, Chosen("path")]
CouplingChoice = Annotated[Choice, Chosen("coupling")]
TimestepsChoice = Annotated[Choice, Chosen("timesteps")]
TargetChoice = Annotated[Choice, Chosen("target")]
WeightChoice = Annotated[Choice, Chosen("weight")]
SolverChoice = Annotated[Choice, Chosen("solver")]
GridChoice = Annotated[Choice, Chosen("grid")]
Steps = Annotated[int, Setting(strict=True, ge=1, le=MOST_STEPS)]


class Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SamplerSettings(Frozen):
    """How images are drawn, but for the number of steps."""

    solver: SolverChoice
    grid: GridChoice = "uniform"
    path: PathChoice | None = Setting(default=None, description="the path walked along; the model's own unless given")
    guidance: float = Setting(
        default=1.0, gt=0, le=MOST_GUIDANCE, description="scale of classifier-free guidance; 1 means none"
    )
    guidance_interval: tuple[float, float] = Setting(default=(0.0, 1.0), description="times on the path walked along")

    @model_validator(mode="after")
    def interval_rises(self) -> "SamplerSettings":
        low, high = self.guidance_interval
        if not 0 <= low < high <= 1:
            raise ValueError(f"guidance_interval must rise within 0 to 1, not [{low:g}, {high:g}]")
        return self

    @property
    def label(self) -> str:
        """The sampler in one word, fit for a file's name and a chart's: `dpmpp_2m-grid_edm-guidance1.5`."""
        words = [components.label(self.solver)]
        if self.grid != "uniform":
            words.append(f"grid_{components.label(self.grid)}")
        if self.path is not None:
            words.append(f"path_{components.label(self.path)}")
        if self.guidance != 1:
            words.append(f"guidance{self.guidance:g}")
            if self.guidance_interval != (0, 1):
                words.append("from{:g}to{:g}".format(*self.guidance_interval))
        return "-".join(words)


class SamplerConfig(SamplerSettings):
    """How images are drawn."""

    steps: Steps


class ImageFormat(Frozen):
    channels: PositiveInt
    size: PositiveInt


class Config(Frozen):
    """config.json: everything but the weights."""

    version: Literal[1] = 1
    path: PathChoice
    target: TargetChoice
    network: dict[str, Any] = Setting(description="kind and sizes: a choice of fm.networks.Network")
    sampler: SamplerConfig
    image: ImageFormat
    label_names: list[str]
