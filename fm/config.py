"""What a generator is made of, as its config.json and params.yaml say it. Importable without PyTorch."""

import inspect
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, PositiveFloat, PositiveInt, model_validator
from pydantic import Field as Setting

from fm import custom, names
from fm.names import Choice


def known(kind: str, available: Mapping[str, tuple[str, ...]]) -> AfterValidator:
    """That a choice is of `available`, or registered in fm/custom.py, and that it has the options given."""

    def check(choice: Choice) -> Choice:
        name, options = names.parts(choice)
        own = {name: options_of(made) for name, made in custom.REGISTERED.get(kind, {}).items()}
        there = {**available, **own}
        if name not in there:
            raise ValueError(f"no {kind} {name!r}: must be one of {', '.join(there)}")
        for option in options:
            if option not in there[name]:
                have = f"it has {', '.join(there[name])}" if there[name] else "it has none"
                raise ValueError(f"{kind} {name!r} has no option {option!r}: {have}")
        return choice

    return AfterValidator(check)


def options_of(made: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(made).parameters)


PathChoice = Annotated[Choice, known("path", names.PATHS)]
CouplingChoice = Annotated[Choice, known("coupling", names.COUPLINGS)]
TimestepsChoice = Annotated[Choice, known("timesteps", names.TIMESTEPS)]
WeightChoice = Annotated[Choice, known("weight", names.WEIGHTS)]
SolverChoice = Annotated[Choice, known("solver", names.SOLVERS)]
GridChoice = Annotated[Choice, known("grid", names.GRIDS)]
Target = Literal["velocity", "data", "noise", "score", "v", "edm"]


class Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SamplerSettings(Frozen):
    """How images are drawn, but for the number of steps."""

    solver: SolverChoice
    grid: GridChoice = "uniform"
    path: PathChoice | None = Setting(default=None, description="the path walked along; the model's own unless given")
    guidance: PositiveFloat = Setting(default=1.0, description="scale of classifier-free guidance; 1 means none")
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

    steps: PositiveInt


class ImageFormat(Frozen):
    channels: PositiveInt
    size: PositiveInt


class Config(Frozen):
    """config.json: everything but the weights."""

    version: Literal[1] = 1
    path: PathChoice
    target: Target
    network: dict[str, Any] = Setting(description="kind and sizes, as fm.networks.build takes them")
    sampler: SamplerConfig
    image: ImageFormat
    label_names: list[str]
