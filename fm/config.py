"""What a generator is made of, as its config.json and params.yaml say it. Importable without PyTorch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    computed_field,
    model_serializer,
    model_validator,
)
from pydantic import Field as Setting
from pydantic_core import CoreSchema, core_schema

from fm import components
from fm.components import Choice
from fm.errors import shown

MOST_STEPS, MOST_GUIDANCE, MOST_SNAPSHOTS = 10_000, 100, 100


@dataclass(frozen=True)
class Chosen:
    """That a choice is one of a kind of components, with options that it can have.

    A validation's context says what may be imported for it: `own`, as components.read takes it, nothing if it is not
    there.

    >>> components.label(SamplerConfig(solver={"name": "edm", "churn": 40}, steps=18).solver)
    'edm-churn40'
    """

    kind: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return components.schema(self.kind)

    def check(self, choice: Choice, info: core_schema.ValidationInfo) -> Choice:
        return components.read(self.kind, choice, (info.context or {}).get("own", ()))


class ChosenByName(Chosen):
    """The same where only a name can be said, no options.

    >>> ChosenByName("extractor").kind
    'extractor'
    """

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"anyOf": components.names_schema(self.kind)}

    def check(self, choice: Choice, info: core_schema.ValidationInfo) -> Choice:
        if not isinstance(choice, str):
            raise ValueError(f"{shown(choice)}: must be a name")
        return super().check(choice, info)


PathChoice = Annotated[Choice, Chosen("path")]
SourceChoice = Annotated[Choice, Chosen("source")]
CouplingChoice = Annotated[Choice, Chosen("coupling")]
TimestepsChoice = Annotated[Choice, Chosen("timesteps")]
TargetChoice = Annotated[Choice, Chosen("target")]
WeightChoice = Annotated[Choice, Chosen("weight")]
NetworkChoice = Annotated[Choice, Chosen("network")]
CodecChoice = Annotated[Choice, Chosen("codec")]
ConditionerChoice = Annotated[Choice, Chosen("conditioner")]
SolverChoice = Annotated[Choice, Chosen("solver")]
GridChoice = Annotated[Choice, Chosen("grid")]
Steps = Annotated[int, Setting(strict=True, ge=1, le=MOST_STEPS)]


class Frozen(BaseModel):
    """Settings that are checked once and then stay.

    >>> SamplerConfig(solver="euler", steps=10).model_dump_json(exclude_defaults=True)
    '{"solver":"euler","steps":10}'
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Scale = Annotated[float, Setting(gt=0, le=MOST_GUIDANCE)]


class Autoguidance(Frozen):
    """Guidance away from the same network as it was earlier in its training (Karras et al. 2024, arXiv 2406.02507).

    >>> SamplerSettings(solver="heun", guidance={"by": "snapshot", "scale": 2}).label
    'heun-guidance2-snapshot1'
    """

    by: Literal["snapshot"] = Setting(description="a network that train.snapshots has kept")
    scale: Scale = Setting(description="1 means none")
    number: int = Setting(
        default=1, ge=1, le=MOST_SNAPSHOTS, strict=True, description="which of them; the earliest is 1"
    )


def by_its_kind(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """A scale or a mapping, so that a mistake is told of that one alone."""
    if isinstance(value, dict):
        return Autoguidance.model_validate(value)
    return value if isinstance(value, Autoguidance) else SCALE.validate_python(value)


SCALE = TypeAdapter[float](Scale)


class SamplerSettings(Frozen):
    """How images are drawn, but for the number of steps.

    >>> SamplerSettings(solver="dpmpp_2m", grid="edm", guidance=1.5).label
    'dpmpp_2m-grid_edm-guidance1.5'
    """

    solver: SolverChoice
    grid: GridChoice = "uniform"
    path: PathChoice | None = Setting(default=None, description="the path walked along; the model's own unless given")
    guidance: Annotated[Scale | Autoguidance, WrapValidator(by_its_kind)] = Setting(
        default=1.0, description="scale of classifier-free guidance, 1 means none; or away from a snapshot"
    )
    guidance_interval: tuple[float, float] = Setting(default=(0.0, 1.0), description="times on the path walked along")

    @model_validator(mode="after")
    def interval_rises(self) -> "SamplerSettings":
        low, high = self.guidance_interval
        if not 0 <= low < high <= 1:
            raise ValueError(f"guidance_interval must rise within 0 to 1, not [{low:g}, {high:g}]")
        return self

    @property
    def scale(self) -> float:
        """Of guidance; 1 means none."""
        return self.guidance.scale if isinstance(self.guidance, Autoguidance) else self.guidance

    @property
    def snapshot(self) -> int | None:
        """The number of the weaker network that it leads away from; none where it leads away from no condition."""
        return self.guidance.number if isinstance(self.guidance, Autoguidance) else None

    @property
    def by_no_condition(self) -> bool:
        """Whether it is guided, and leads away from what the network says under no condition."""
        return self.scale != 1 and self.snapshot is None

    @property
    def label(self) -> str:
        """The sampler in one word, fit for a file's name and a chart's: `dpmpp_2m-grid_edm-guidance1.5`."""
        words = [components.label(self.solver)]
        if self.grid != "uniform":
            words.append(f"grid_{components.label(self.grid)}")
        if self.path is not None:
            words.append(f"path_{components.label(self.path)}")
        if self.scale != 1:
            words.append(f"guidance{self.scale:g}")
            if self.snapshot is not None:
                words.append(f"snapshot{self.snapshot}")
            if self.guidance_interval != (0, 1):
                words.append("from{:g}to{:g}".format(*self.guidance_interval))
        return "-".join(words)


class SamplerConfig(SamplerSettings):
    """How images are drawn.

    >>> SamplerConfig(solver="heun", steps=10).steps
    10
    """

    steps: Steps


class Native(Frozen):
    """What a network was made for, where it is asked for another target or on another path (fm.networks.converted).

    >>> Native(path="ddpm", target="noise").target
    'noise'
    """

    path: PathChoice
    target: TargetChoice


class Config(Frozen):
    """config.json: everything but the weights. One of the first version is read as what it means in this one.

    >>> config = Config(
    ...     path="cond_ot",
    ...     target="velocity",
    ...     network={"name": "unet", "width": 8},
    ...     codec={"name": "pixels", "stored": [8, 8, 1]},
    ...     conditioner={"name": "labels", "names": ["cat", "dog"]},
    ...     sampler={"solver": "midpoint", "steps": 5},
    ... )
    >>> config.version, config.needs
    (2, [])
    """

    version: Literal[2] = 2
    path: PathChoice
    target: TargetChoice
    network: NetworkChoice
    codec: CodecChoice
    conditioner: ConditionerChoice
    until: bool = Setting(default=False, description="whether the network is told where a step ends, for few steps")
    unconditional: bool = Setting(
        default=True, description="whether the network was trained under no condition too, as guidance needs it"
    )
    source: SourceChoice = Setting(default="white", description="the noise that data are made from")
    sampler: SamplerConfig
    native: Native | None = Setting(
        default=None, description="the network's own path and target, where they are others"
    )

    @model_serializer(mode="wrap")
    def without_what_is_not_there(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Most networks are made for what they are asked for, from white noise, and can be guided: their files say no
        more than they did."""
        content: dict[str, Any] = written(self)
        usual = {"native": None, "unconditional": True, "source": "white"}
        return {name: value for name, value in content.items() if name not in usual or value != usual[name]}

    @model_validator(mode="before")
    @classmethod
    def of_any_version(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        content = {name: value for name, value in content.items() if name != "needs"}  # which follows from the rest
        return of_first_version(content) if content.get("version") == 1 else content

    @computed_field  # type: ignore[prop-decorator]
    @property
    def needs(self) -> list[str]:
        """What is not the library's: where each component of one's own is, `module:Class`."""
        places = [components.own_place(kind, choice) for kind, choice in self.choices()]
        return sorted({place for place in places if place is not None})

    def missing(self) -> list[str]:
        """What of it is not imported."""
        found = [(kind, choice) for kind, choice in self.choices() if not components.is_there(kind, choice)]
        return sorted({components.own_place(kind, choice) or "" for kind, choice in found})

    def choices(self) -> Iterator[tuple[str, Choice]]:
        """Every component that it names, each with its kind."""
        for kind in ("path", "target", "network", "codec", "conditioner", "source"):
            yield kind, getattr(self, kind)
            yield from components.inner(kind, getattr(self, kind))
        if self.native is not None:
            yield "path", self.native.path
            yield "target", self.native.target
        for kind in ("solver", "grid", "path"):
            choice = getattr(self.sampler, kind)
            if choice is not None:
                yield kind, choice


SIGMA_DATA_OF_FIRST_VERSION = 0.5


def of_first_version(content: dict[str, Any]) -> Any:
    """config.json of version 1: square images with labels, and data of one standard deviation."""
    match content:
        case {
            "image": {"channels": int(channels), "size": int(size)},
            "network": {"kind": kind, **sizes},
            "label_names": [*names],
            "target": target,
            **others,
        }:
            return others | {
                "version": 2,
                "target": {"name": "edm", "sigma_data": SIGMA_DATA_OF_FIRST_VERSION} if target == "edm" else target,
                "network": {"name": kind, **sizes},
                "codec": {"name": "pixels", "stored": [size, size, channels]},
                "conditioner": {"name": "labels", "names": names},
            }
    return content
