"""The settings in params.yaml: what there is, what is allowed, and what `null` stands for."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, field_validator, model_validator

from fm.errors import UserError
from fm.names import COUPLINGS, PATHS, SOLVERS, TARGETS, TIMESTEPS, WEIGHTS

FILE = Path("params.yaml")


class ParamsError(UserError):
    """params.yaml says something that cannot be; the message names key, value and what is allowed."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dataset(Section):
    name: Literal["fashion-mnist", "digits"]
    image_size: int | None = Field(ge=8, le=512)


class Network(Section):
    kind: Literal["unet"] | None
    width: int | None = Field(ge=8, multiple_of=8)
    multipliers: list[PositiveInt] | None = Field(min_length=1)
    blocks: PositiveInt | None
    patch_size: PositiveInt | None


class Train(Section):
    images_seen: PositiveInt | None
    batch_size: PositiveInt | None
    learning_rate: float | None = Field(gt=0, le=1)
    warmup_steps: int | None = Field(ge=0)
    ema_decay: float = Field(ge=0, lt=1)
    label_dropout: float = Field(ge=0, lt=1)
    gradient_clip: float = Field(gt=0)
    seed: int = Field(ge=0, lt=2**63)
    checkpoint_every: PositiveInt
    accelerator: str
    devices: int | str | list[int]
    strategy: str
    precision: str | int


def one_of(names: tuple[str, ...]) -> Any:
    return Field(json_schema_extra={"enum": list(names)}, pattern="^(" + "|".join(names) + ")$")


class Objective(Section):
    path: str = one_of(PATHS)
    coupling: str = one_of(COUPLINGS)
    timesteps: str = one_of(TIMESTEPS)
    target: str = one_of(TARGETS)
    weight: str = one_of(WEIGHTS)


class Sampler(Section):
    solver: str = one_of(SOLVERS)
    steps: list[PositiveInt] = Field(min_length=1)


class Method(Section):
    objective: Objective
    samplers: list[Sampler] = Field(min_length=1)


class Evaluate(Section):
    extractor: Literal["classifier"] | None
    images: int | None = Field(ge=2, le=1_000_000)
    sets: int = Field(ge=2, le=100)
    batch_size: PositiveInt
    seed: int = Field(ge=0, lt=2**63)


class Register(Section):
    model_name: str | None = Field(min_length=1, pattern=r"^[^/:]+$")
    metric: str | None
    nfe: PositiveInt


class Params(Section):
    dataset: Dataset
    network: Network
    train: Train
    methods: dict[str, Method] = Field(min_length=1)
    evaluate: Evaluate
    register_: Register = Field(alias="register")

    @field_validator("methods")
    @classmethod
    def names_are_file_names(cls, methods: dict[str, Method]) -> dict[str, Method]:
        for name in methods:
            if not name.replace("_", "").isalnum() or not name.isascii():
                raise ValueError(f"a method's name has letters, digits and underscores only, not {name!r}")
        return methods

    @model_validator(mode="after")
    def batch_fits_budget(self) -> "Params":
        seen, batch = self.train.images_seen, self.train.batch_size
        if seen is not None and batch is not None and seen < batch:
            raise ValueError(f"train.images_seen ({seen}) must be at least train.batch_size ({batch})")
        return self


def parse(content: Any, source: str = str(FILE)) -> Params:
    """Check settings and fill every `null` with the dataset's own value (defaults.yaml).

    Raises:
        ParamsError: one line a mistake: key, value and what is allowed.
    """
    try:
        given = Params.model_validate(content)
        return Params.model_validate(with_defaults(content, dataset_defaults(given.dataset.name)))
    except ValidationError as error:
        raise ParamsError("\n".join(f"{source}: {explain(item)}" for item in error.errors())) from None


def load(path: Path = FILE) -> Params:
    """Read and check a params.yaml. Raises ParamsError, with one line a mistake."""
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing: run this from the project's root") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return parse(content, str(path))


def dataset_defaults(name: str) -> dict[str, Any]:
    """What `null` stands for with this dataset."""
    defaults: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("defaults.yaml").read_text())
    return defaults[name]  # type: ignore[no-any-return]


def with_defaults(content: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    filled = dict(content)
    for key, default in defaults.items():
        if isinstance(default, dict):
            filled[key] = with_defaults(content.get(key) or {}, default)
        elif content.get(key) is None:
            filled[key] = default
    return filled


def explain(item: Any) -> str:
    """One line for one of pydantic's errors."""
    key = ".".join(str(part) for part in item["loc"]) or "the file"
    match item["type"]:
        case "extra_forbidden":
            return f"{key}: there is no such setting"
        case "missing":
            return f"{key}: is missing"
        case "string_pattern_mismatch" if item["ctx"]["pattern"].startswith("^("):
            allowed = item["ctx"]["pattern"][2:-2].replace("|", ", ")
            return f"{key} = {item['input']!r}: must be one of {allowed}"
        case "value_error":
            return f"{key}: {item['ctx']['error']}"
    return f"{key} = {item['input']!r}: {item['msg'][0].lower()}{item['msg'][1:]}"
