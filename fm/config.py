"""What a generator is made of, as its config.json and params.yaml say it. Importable without PyTorch."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, PlainValidator, PositiveInt, model_validator
from pydantic import Field as Setting

from fm import custom, names
from fm.names import Choice

MOST_STEPS, MOST_GUIDANCE = 10_000, 100


def known(kind: str) -> PlainValidator:
    """That a choice is one of names.KINDS, or registered in fm/custom.py, with options that it can have."""

    def check(choice: Choice) -> Choice:
        name, options = names.read(kind, choice, custom.options(kind))
        return {"name": name, **options} if options else name

    return PlainValidator(check)


PathChoice = Annotated[Choice, known("path")]
CouplingChoice = Annotated[Choice, known("coupling")]
TimestepsChoice = Annotated[Choice, known("timesteps")]
WeightChoice = Annotated[Choice, known("weight")]
SolverChoice = Annotated[Choice, known("solver")]
GridChoice = Annotated[Choice, known("grid")]
Target = Literal["velocity", "data", "noise", "score", "v", "edm"]
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
        words = [names.label(self.solver)]
        if self.grid != "uniform":
            words.append(f"grid_{names.label(self.grid)}")
        if self.path is not None:
            words.append(f"path_{names.label(self.path)}")
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
    target: Target
    network: dict[str, Any] = Setting(description="kind and sizes: a choice of fm.networks.Network")
    sampler: SamplerConfig
    image: ImageFormat
    label_names: list[str]
