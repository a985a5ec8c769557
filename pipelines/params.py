"""The settings in params.yaml: what there is, what is allowed, and what `null` stands for."""

import copy
import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, field_validator, model_validator

from fm import names
from fm.config import (
    MOST_STEPS,
    CouplingChoice,
    PathChoice,
    SamplerConfig,
    SamplerSettings,
    Steps,
    Target,
    TimestepsChoice,
    WeightChoice,
)
from fm.errors import UserError, shown
from pipelines import yaml_reading
from pipelines.schemas.evaluation import deciding_metrics, distance_key

FILE = Path("params.yaml")
NO_IMAGES = "data/README.md"
MOST_IMAGES = 500  # of a sample set, unless evaluate.images says more
MOST_MISTAKES = 20  # that are told
MOST_CHARACTERS = 400  # of a line
STRATEGIES = (
    *("auto", "ddp", "ddp_spawn", "ddp_fork", "ddp_find_unused_parameters_false", "ddp_find_unused_parameters_true"),
    *("fsdp", "fsdp_cpu_offload", "deepspeed_stage_1", "deepspeed_stage_2", "deepspeed_stage_3"),
)
"""Of lightning.Trainer's those that divide a training among processes."""


class ParamsError(UserError):
    """params.yaml says something that cannot be; the message names key, value and what is allowed."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def no_setting_is_yes_or_no(cls, value: Any) -> Any:
        if isinstance(value, bool):  # which pydantic takes for 1 or 0
            raise ValueError(f"{str(value).lower()}: no setting is true or false")
        return value


class Dataset(Section):
    name: Literal["fashion-mnist", "digits", "cifar10", "image-folder"]
    path: str = Field(
        min_length=1,
        max_length=4000,
        pattern=r"^[^\x00]*$",
        description="the folder of image-folder; cifar10 looks there for its archive",
    )
    image_size: int | None = Field(ge=8, le=512)
    channels: Literal[1, 3] | None
    test_fraction: float = Field(gt=0, lt=1, description="share of an image-folder held out")
    on_bad_image: Literal["error", "skip"]
    licence: str | None = Field(description="for the model card")


class Network(Section):
    """One of the networks; the sizes that its kind does not have stay null."""

    kind: Literal["unet", "transformer"] | None = None
    width: int | None = Field(default=None, ge=8, le=4096, multiple_of=8)
    blocks: int | None = Field(default=None, ge=1, le=128)
    patch_size: int | None = Field(default=None, ge=1, le=512)
    multipliers: list[Annotated[int, Field(ge=1, le=64)]] | None = Field(default=None, min_length=1, max_length=10)
    heads: int | None = Field(default=None, ge=1, le=256)

    @model_validator(mode="after")
    def sizes_fit_the_kind(self) -> "Network":
        foreign = {"unet": "heads", "transformer": "multipliers", None: ""}[self.kind]
        if getattr(self, foreign, None) is not None:
            raise ValueError(f"a network of kind {self.kind} has no {foreign}: must be null")
        return self

    def sizes(self) -> dict[str, Any]:
        """kind and sizes, as fm.networks.build takes them."""
        return self.model_dump(exclude_none=True)


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
    snapshots: int = Field(ge=0, le=100, description="averaged networks kept along the way, for evaluate to measure")
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"]
    devices: Any
    strategy: str
    precision: Literal[
        "32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true", "32", "16", "bf16", "64", 32, 16, 64
    ]

    @property
    def steps(self) -> int | None:
        """Whole batches in the budget of images; none where one of the two is the dataset's own."""
        if self.images_seen is None or self.batch_size is None:
            return None
        return self.images_seen // self.batch_size

    @field_validator("devices")
    @classmethod
    def devices_are_lightnings(cls, devices: Any) -> Any:
        match devices:
            case "auto":
                return devices
            case int() if devices == -1 or devices > 0:
                return devices
            case str() if re.fullmatch(r"[1-9]\d*|\d+(,\d+)+", devices):
                return devices
            case [_, *_] if all(isinstance(one, int) and one >= 0 for one in devices):
                return devices
        raise ValueError(f"{shown(devices)}: must be auto, -1 for all, how many, or a list of their numbers")

    @field_validator("strategy")
    @classmethod
    def strategy_is_lightnings(cls, strategy: str) -> str:
        if strategy not in STRATEGIES:
            raise ValueError(f"{shown(strategy)}: must be one of {', '.join(STRATEGIES)}")
        return strategy


class Objective(Section):
    path: PathChoice
    coupling: CouplingChoice
    timesteps: TimestepsChoice
    target: Target
    weight: WeightChoice


class Sampler(SamplerSettings):
    steps: list[Steps] = Field(min_length=1)

    def evaluations(self) -> set[int]:
        """Numbers of calls of the network that its rows make; every one that can be where guidance or an adaptive
        solver decides as it goes."""
        solver, _ = names.parts(self.solver)
        if solver not in names.CALLS:
            return set(range(1, MOST_STEPS))
        found: set[int] = set()
        for steps in self.steps:
            # EDM's last step, to no noise, makes one call.
            calls = names.CALLS[solver] * steps - (solver == "edm")
            guided = range(calls, 2 * calls + 1) if self.guidance_interval != (0, 1) else [2 * calls]
            found.update([calls] if self.guidance == 1 else guided)
        return found

    def each(self) -> list[SamplerConfig]:
        """One sampler for each number of steps."""
        return [SamplerConfig.model_validate({**self.model_dump(), "steps": steps}) for steps in self.steps]


class Method(Section):
    objective: Objective
    network: Network | None = Field(description="a network of its own; null: the one that all methods share")
    samplers: list[Sampler] = Field(min_length=1)

    @field_validator("samplers")
    @classmethod
    def samplers_differ(cls, samplers: list[Sampler]) -> list[Sampler]:
        each = [(sampler.label, steps) for sampler in samplers for steps in sampler.steps]
        twice = next((one for one in each if each.count(one) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice[0]} with {twice[1]} steps is there twice")
        return samplers


class Evaluate(Section):
    extractor: str | None
    extractor_weights: str | None = Field(description="where Inception's weights lie, if not in the cache")
    images: int | None = Field(ge=2, le=1_000_000)
    sets: int = Field(ge=2, le=100)
    batch_size: PositiveInt
    seed: int = Field(ge=0, lt=2**63)

    @field_validator("extractor")
    @classmethod
    def extractor_is_known(cls, extractor: str | None) -> str | None:
        if extractor is not None:
            names.extractor_name(extractor)
        return extractor


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

    def network_of(self, method: str) -> Network:
        """The network that a method trains: its own, if it has one."""
        return self.methods[method].network or self.network

    @field_validator("methods")
    @classmethod
    def names_are_file_names(cls, methods: dict[str, Method]) -> dict[str, Method]:
        for name in methods:
            if not name.replace("_", "").isalnum() or not name.isascii():
                raise ValueError(f"a method's name has letters, digits and underscores only, not {shown(name)}")
        return methods

    @model_validator(mode="after")
    def batch_fits_budget(self) -> "Params":
        seen, batch = self.train.images_seen, self.train.batch_size
        if seen is not None and batch is not None and seen < batch:
            raise ValueError(f"train.images_seen ({seen}) must be at least train.batch_size ({batch})")
        return self

    @model_validator(mode="after")
    def warm_up_fits_budget(self) -> "Params":
        steps, warm_up = self.train.steps, self.train.warmup_steps
        if steps is not None and warm_up is not None and warm_up > steps // 2:
            raise ValueError(
                f"train.warmup_steps = {warm_up}: must be at most half of the training's {steps:,} steps "
                "(train.images_seen / train.batch_size), or what is trained is mostly noise; null fits itself"
            )
        return self

    @model_validator(mode="after")
    def images_exceed_features(self) -> "Params":
        images, extractor = self.evaluate.images, self.evaluate.extractor
        if images is not None and images <= (least := names.DIMENSIONS.get(str(extractor), 0)):
            raise ValueError(too_few(f"evaluate.images = {images}", least, str(extractor)))
        return self

    @model_validator(mode="after")
    def metric_is_measured(self) -> "Params":
        metric, extractor = self.register_.metric, self.evaluate.extractor
        if metric is not None and extractor is not None:
            measured = deciding_metrics(names.extractor_name(extractor))
            if metric not in measured:
                raise ValueError(
                    f"register.metric = {shown(metric)}: with the extractor {extractor} it must be one of "
                    f"{', '.join(measured)}"
                )
        return self


def parse(content: Any, source: str = str(FILE)) -> Params:
    """Check settings and fill every `null` with the dataset's own value (defaults.yaml).

    Raises:
        ParamsError: one line a mistake: key, value and what is allowed.
    """
    try:
        given = Params.model_validate(content)
        return Params.model_validate(
            with_defaults(given.model_dump(by_alias=True), dataset_defaults(given.dataset.name))
        )
    except ValidationError as error:
        told = [in_a_line(f"{source}: {explain(item)}") for item in error.errors()]
        more = [f"{source}: and {len(told) - MOST_MISTAKES} mistakes more"] if len(told) > MOST_MISTAKES else []
        raise ParamsError("\n".join(told[:MOST_MISTAKES] + more)) from None


def load(path: Path = FILE) -> Params:
    """Read and check a params.yaml. Raises ParamsError, with one line a mistake."""
    return parse(read(path), str(path))


def read(path: Path) -> Any:
    """What a file of settings says, unchecked. Raises ParamsError, in one line."""
    try:
        return yaml_reading.read(path)
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing: run this from the project's root") from None
    except OSError as error:
        raise ParamsError(f"{path}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise ParamsError(f"{path}: {error}") from None


def require_method(name: str, path: Path = FILE) -> None:
    """Raise ParamsError, with those there are, unless params.yaml has a method of this name."""
    known = load(path).methods
    if name not in known:
        raise ParamsError(f"{path} has no method {name!r}: there are {', '.join(known)}")


def flat(settings: Params) -> dict[str, Any]:
    """Every setting by its dotted key, the methods by their names alone: what a table of runs can show."""
    content = settings.model_dump(mode="json", by_alias=True) | {"methods": ", ".join(settings.methods)}
    return {
        f"{section}.{key}" if key else section: value
        for section, values in content.items()
        for key, value in (values.items() if isinstance(values, dict) else [("", values)])
    }


def require_path(dataset: Dataset, root: Path) -> None:
    """That dataset.path is there: DVC has it as a dependency whatever the dataset, and says little if it is missing.

    Raises:
        ParamsError: there is no such path below `root`, or it is no folder and the dataset is one.
    """
    path = root / dataset.path
    if dataset.name == "image-folder" and not path.is_dir():
        raise ParamsError(f"{FILE}: dataset.path = {shown(dataset.path)}: must be the folder with your images")
    if not path.exists():
        raise ParamsError(
            f"{FILE}: dataset.path = {shown(dataset.path)}: must exist; {NO_IMAGES} does, where none is needed"
        )


def require_enough(chosen: Evaluate, num_train: int, num_test: int, dimensions: int | None = None) -> None:
    """That sample sets and splits have more images than features, so that a distance means something.

    Args:
        dimensions: of the extractor's features; None is what is known of them before it is made.

    Raises:
        ParamsError: one of them has too few, or a sample set has more than the test split, the floor.
    """
    extractor = str(chosen.extractor)
    least = names.DIMENSIONS.get(extractor, 0) if dimensions is None else dimensions
    count = min(num_test, MOST_IMAGES) if chosen.images is None else chosen.images
    for split, have in (("training", num_train), ("test", num_test)):
        if have <= least:
            raise ParamsError(too_few(f"the {split} split has {have} images", least, extractor))
    if count <= least:
        raise ParamsError(f"{FILE}: {too_few(f'evaluate.images = {count}', least, extractor)}")
    if count > num_test:
        raise ParamsError(f"{FILE}: evaluate.images = {count}: the test split, the floor, has {num_test} images")


def too_few(what: str, dimensions: int, extractor: str) -> str:
    return (
        f"{what}: must be more than the {dimensions} features of the extractor {extractor}, "
        "or a Frechet distance means nothing: more images, or another evaluate.extractor"
    )


def require_nfe(settings: Params) -> None:
    """That every method has a row by which register.nfe can decide. Raises ParamsError, with those there are."""
    for name, method in settings.methods.items():
        there = set().union(*(sampler.evaluations() for sampler in method.samplers))
        if settings.register_.nfe not in there:
            raise ParamsError(
                f"{FILE}: register.nfe = {settings.register_.nfe}: {name} has no row with that many evaluations; it "
                f"has rows with {', '.join(map(str, sorted(there)[:MOST_MISTAKES]))} (methods.{name}.samplers)"
            )


def dataset_defaults(name: str) -> dict[str, Any]:
    """What `null` stands for with this dataset."""
    defaults: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("defaults.yaml").read_text(encoding="utf-8"))
    return defaults[name]  # type: ignore[no-any-return]


def with_defaults(content: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Every `null` filled in: networks by their kind, the rest by its key; a warm-up that is longer than half of a
    short training is shortened to that."""
    networks = defaults["network"]
    filled = filled_in(content, {section: values for section, values in defaults.items() if section != "network"})
    filled["network"] = filled_in_network(content["network"], networks)
    for method in filled["methods"].values():
        if method["network"] is not None:
            method["network"] = filled_in_network(method["network"], networks)
    train = filled["train"]
    if content["train"]["warmup_steps"] is None:
        train["warmup_steps"] = min(train["warmup_steps"], train["images_seen"] // train["batch_size"] // 2)
    if filled["register"]["metric"] is None:
        filled["register"]["metric"] = distance_key(names.extractor_name(filled["evaluate"]["extractor"]))
    return filled


def filled_in_network(network: dict[str, Any], networks: dict[str, Any]) -> dict[str, Any]:
    kind = network.get("kind") or "unet"
    return filled_in(network, {"kind": kind, **networks[kind]})


def filled_in(content: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    filled = copy.deepcopy(content)
    for key, default in defaults.items():
        if isinstance(default, dict):
            filled[key] = filled_in(content.get(key) or {}, default)
        elif content.get(key) is None:
            filled[key] = default
    return filled


def explain(item: Any) -> str:
    """What is wrong, for one of pydantic's errors."""
    key = ".".join(str(part) for part in item["loc"])
    match item["type"]:
        case "extra_forbidden":
            return f"{key}: there is no such setting{suggestion(item['loc'])}"
        case "missing":
            return f"{key}: is missing"
        case "value_error":
            return f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"])
        case "model_type":
            return (
                f"{key or 'the file'} = {shown(item['input'])}: must have settings by name, as the given file has them"
            )
    return f"{key or 'the file'} = {shown(item['input'])}: {item['msg'][0].lower()}{item['msg'][1:]}"


def suggestion(key: tuple[str | int, ...]) -> str:
    """What may have been meant by a key that there is not."""
    *parents, name = (str(part) for part in key)
    found = difflib.get_close_matches(name, settings_in(Params, tuple(parents)), n=1)
    if found:
        return f"; did you mean {'.'.join([*parents, *found])}?"
    elsewhere = [section for section in settings_in(Params, ()) if name in settings_in(Params, (section,))]
    return f"; did you mean {elsewhere[0]}.{name}?" if elsewhere else ""


def settings_in(kind: Any, parents: tuple[str, ...]) -> list[str]:
    """The settings that there are under a dotted key, below a section or a type that holds sections."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
        if not parents:
            return list(fields)
        return settings_in(fields.get(parents[0]), parents[1:])
    held = [one for one in get_args(kind) if one is not type(None)]  # of a list, a mapping, an optional section
    if not held:
        return []
    return settings_in(held[-1], parents[1:] if get_origin(kind) in (dict, list) else parents)


def in_a_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 1]}…"
