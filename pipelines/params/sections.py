"""The sections of params.yaml with a value a key, and what their values may be."""

import re
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from fm import components
from fm.averaging import LEAST_RATIO, LONGEST, SHORTEST
from fm.components import ANY, Choice, find, names_schema
from fm.config import MOST_SNAPSHOTS, ChosenByName
from fm.data.dataset import CodedDataset
from fm.data.dataset import Dataset as DataSource
from fm.data.listing import FileDataset
from fm.errors import shown
from fm.extractor_names import OWN_FILE, extractor_name
from fm.precision import Precision
from pipelines.params.condition import Condition, Part
from pipelines.params.section import Filled, Section

MOST_IMAGES = 500  # of a sample set that has as many as the test split
Strategy = Literal["auto", "ddp", "ddp_find_unused_parameters_true", "fsdp"]
"""How several processes share a training; auto is ddp where there are several."""
NO_STRATEGIES = {
    "ddp_spawn": "its processes tell nobody of their curve: ddp",
    "ddp_fork": "its processes tell nobody of their curve: ddp",
    "ddp_find_unused_parameters_false": "is ddp",
    "fsdp_cpu_offload": "is not tried: fsdp, on more devices",
    "deepspeed_stage_1": "takes a package that is not installed: fsdp",
    "deepspeed_stage_2": "takes a package that is not installed: fsdp",
    "deepspeed_stage_3": "takes a package that is not installed: fsdp does the same",
}
"""Lightning has these too; why they are refused, and what to take instead."""
DEVICES = r"[1-9]\d*|\d+(,\d+)+"
Devices = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["auto", -1]},
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": f"^({DEVICES})$"},
                {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}},
            ]
        }
    ),
]


MB = 1_000_000
FOLDERS = {
    "image-folder": "images",
    "video-folder": "videos",
    "volume-folder": "volumes",
    "field-files": "files of fields",
}
"""Datasets of what lies in a folder at dataset.path, and what that is."""
IN_FILES = (*FOLDERS, "parquet", "webdataset")
"""Datasets of one's own data at dataset.path."""


def is_coded(name: str) -> bool:
    kind = find("dataset", name, ANY)
    return kind is not None and issubclass(kind, CodedDataset)


def with_options(schema: dict[str, Any]) -> None:
    """JSON schema of the section: which options there may be follows from the name."""
    for name, kind in components.known("dataset").items():
        options = {**components.schema_of(name, kind), "required": []}
        options["properties"] = {key: one for key, one in options["properties"].items() if key != "name"}
        its_own = {"properties": {"options": {"anyOf": [options, {"type": "null"}]}}}
        schema.setdefault("allOf", []).append({"if": {"properties": {"name": {"const": name}}}, "then": its_own})


class Dataset(Section):
    model_config = ConfigDict(json_schema_extra=with_options)

    name: Annotated[str, ChosenByName("dataset")]
    options: dict[str, Any] | None = Field(
        default=None, validate_default=True, description="the dataset's own, by name"
    )
    path: str = Field(
        min_length=1,
        max_length=4000,
        pattern=r"^[^\x00]*$",
        description="the folder of image-folder, webdataset and parquet; cifar10 looks there for its archive",
    )
    image_size: Filled[int | None] = Field(ge=8, le=512, description="null: data that are no pictures")
    channels: Filled[Literal[1, 3] | None]
    test_fraction: float = Field(gt=0, lt=1, description="share of one's own images held out")
    on_bad_image: Literal["error", "skip"]
    storage: Literal["auto", "arrays", "shards"] = Field(
        default="auto", description="how own images are prepared; auto: shards where arrays would take over 4 GB"
    )
    store: str | None = Field(
        default=None, pattern=r"^s3://[^/]+/.+$", description="where the shards lie; null: in data/prepared"
    )
    shard_megabytes: float = Field(default=32, gt=0, le=10_000, description="of data in a shard, more or less")
    window_megabytes: float = Field(
        default=1024, gt=0, le=1_000_000, description="of shards whose images are shuffled together"
    )
    condition: Filled[Condition] = Field(default="labels", description="what networks are told of each picture")
    licence: Filled[str] = Field(description="for the model card")

    @property
    def choice(self) -> Choice:
        """As fm.components has it."""
        return {"name": self.name, **self.options} if self.options else self.name

    @property
    def is_coded(self) -> bool:
        """Whether its data have a shape and a codec of their own, and are no pictures to be resized."""
        return is_coded(self.name)

    @property
    def things(self) -> Literal["images", "samples"]:
        """What is made like its data, as people call it."""
        return "samples" if self.is_coded else "images"

    @property
    def measures(self) -> Choice | None:
        """What is measured of its data beside distances; nothing of pictures."""
        dataset = DataSource.of(self.choice, ANY)
        return dataset.measures if isinstance(dataset, CodedDataset) else None

    @property
    def pictures(self) -> tuple[int, int]:
        """Pixels a side and channels of its pictures. Raises ValueError: its data are none."""
        if self.image_size is None or self.channels is None:
            raise ValueError(f"the data of {self.name} are none")
        return self.image_size, self.channels

    @field_validator("options")
    @classmethod
    def options_are_its_own(cls, options: dict[str, Any] | None, known: ValidationInfo) -> dict[str, Any] | None:
        if (name := known.data.get("name")) is None:
            return options
        if "name" in (options or {}):
            raise ValueError("there is no such option as name; did you mean dataset.name?")
        _, checked = components.parts(components.read("dataset", {**(options or {}), "name": name}, ANY))
        return checked or None

    @field_validator("image_size", "channels")
    @classmethod
    def pictures_have_a_size(cls, given: int | None, known: ValidationInfo) -> int | None:
        if (name := known.data.get("name")) is None:
            return given
        if is_coded(name) and given is not None:
            raise ValueError(f"{given}: must be null: the data of {name} have a shape of their own")
        if not is_coded(name) and given is None:
            raise ValueError("must be a number: the dataset has pictures")
        return given

    @field_validator("condition")
    @classmethod
    def pictures_have_such_a_part(cls, condition: Condition, known: ValidationInfo) -> Condition:
        """Of other data the shape is not known before they are prepared."""
        size, channels = known.data.get("image_size"), known.data.get("channels")
        if isinstance(condition, Part) and size is not None and channels is not None:
            condition.conditioner((channels, size, size))
        return condition

    @field_validator("storage")
    @classmethod
    def shards_are_of_files(cls, storage: str, known: ValidationInfo) -> str:
        name = known.data.get("name")
        if storage == "shards" and name is not None:
            kind = find("dataset", name, ANY)
            if kind is None or not issubclass(kind, FileDataset):
                raise ValueError(f"'shards': {name} is prepared as arrays alone; set it to auto")
        return storage

    @field_validator("store", mode="wrap")
    @classmethod
    def store_is_s3(cls, store: Any, check: ValidatorFunctionWrapHandler) -> Any:
        try:
            return check(store)
        except ValidationError:
            raise ValueError(f"{shown(store)}: must be s3://bucket/prefix, or null for data/prepared") from None

    @field_validator("shard_megabytes")
    @classmethod
    def shards_hold_an_image(cls, megabytes: float, known: ValidationInfo) -> float:
        size, channels = known.data.get("image_size"), known.data.get("channels")
        if size is not None and channels is not None and megabytes * MB < (least := size**2 * channels):
            raise ValueError(f"{megabytes}: must be at least {least / MB}, what an image takes")
        return megabytes

    @field_validator("window_megabytes")
    @classmethod
    def windows_hold_a_shard(cls, megabytes: float, known: ValidationInfo) -> float:
        if megabytes < (least := known.data.get("shard_megabytes", 0)):
            raise ValueError(f"{megabytes}: must be at least shard_megabytes, {least}: windows have whole shards")
        return megabytes


class Train(Section):
    images_seen: Filled[PositiveInt]
    batch_size: Filled[PositiveInt]
    learning_rate: Filled[float] = Field(gt=0, le=1)
    warmup_steps: Filled[int] = Field(ge=0)
    ema_decay: float = Field(ge=0, lt=1)
    label_dropout: float = Field(ge=0, lt=1)
    horizontal_flips: float = Field(default=0.0, ge=0, le=1, description="share of images trained in a mirror")
    gradient_clip: float = Field(gt=0)
    seed: int = Field(ge=0, lt=2**63)
    checkpoint_every: PositiveInt
    snapshots: int = Field(
        ge=0, le=MOST_SNAPSHOTS, description="averaged networks kept along the way, for evaluate to measure"
    )
    average_lengths: list[Annotated[float, Field(ge=SHORTEST, le=LONGEST)]] = Field(
        default=[], max_length=8, description="of averages kept too, so that any length can be had of the training"
    )
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"]
    devices: Devices
    strategy: Strategy
    precision: Literal[
        "auto",
        "tf32",
        "32-true",
        "16-mixed",
        "bf16-mixed",
        "16-true",
        "bf16-true",
        "64-true",
        "32",
        "16",
        "bf16",
        "64",
        32,
        16,
        64,
    ]
    compile: bool = Field(default=False, description="the network, by torch.compile")
    accumulate: PositiveInt = Field(default=1, description="parts a batch is cut into, each trained after the other")
    checkpoint_activations: bool = Field(
        default=False, description="compute what lies inside a block again for the gradient instead of keeping it"
    )

    @property
    def steps(self) -> int:
        """Whole batches in the budget of images."""
        return self.images_seen // self.batch_size

    @model_validator(mode="after")
    def parts_are_not_empty(self) -> "Train":
        if self.accumulate > self.batch_size:
            raise ValueError(f"accumulate: {self.accumulate}: must be at most batch_size, {self.batch_size}")
        return self

    @field_validator("average_lengths")
    @classmethod
    def lengths_differ(cls, lengths: list[float]) -> list[float]:
        rising = sorted(lengths)
        ratios = [longer / shorter for shorter, longer in pairwise(rising)]
        if len(rising) == 1 or any(ratio < LEAST_RATIO - 1e-9 for ratio in ratios):
            apart = f"each at least {LEAST_RATIO:g} times the one before"
            raise ValueError(f"{shown(lengths)}: must be none, or two or more, {apart}, as [0.05, 0.1]")
        return rising

    @model_validator(mode="after")
    def lengths_are_whole(self) -> "Train":
        if self.average_lengths and self.strategy == "fsdp":
            raise ValueError("average_lengths: must be [] with strategy fsdp, which divides weights among processes")
        return self

    @field_validator("strategy", mode="before")
    @classmethod
    def strategy_works(cls, strategy: Any) -> Any:
        if isinstance(strategy, str) and strategy in NO_STRATEGIES:
            raise ValueError(f"{shown(strategy)}: {NO_STRATEGIES[strategy]}")
        return strategy

    @field_validator("devices")
    @classmethod
    def devices_are_lightnings(cls, devices: Any) -> Any:
        match devices:
            case "auto":
                return devices
            case int() if devices == -1 or devices > 0:
                return devices
            case str() if re.fullmatch(DEVICES, devices):
                return devices
            case [_, *_] if all(isinstance(one, int) and one >= 0 for one in devices):
                return devices
        raise ValueError(f"{shown(devices)}: must be auto, -1 for all, how many, or a list of their numbers")


def in_one_line(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Where a value is none of two kinds, pydantic tells of both."""
    try:
        return check(value)
    except ValidationError:
        raise ValueError(f"{shown(value)}: must be a whole number from 2 to 1000000, or test_split") from None


class KnownExtractor(ChosenByName):
    """One by name, or by a file of one's own."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        by_file = {"type": "string", "pattern": f"^{OWN_FILE.pattern}$"}
        return {"anyOf": [*names_schema("extractor"), by_file]}

    def check(self, choice: Any, info: ValidationInfo) -> Any:
        if not isinstance(choice, str):
            raise ValueError(f"{shown(choice)}: must be a name")
        extractor_name(choice, ANY)
        return choice


Extractor = Annotated[str, KnownExtractor("extractor")]
Count = Annotated[int, Field(ge=2, le=1_000_000)]
Images = Annotated[Count | Literal["test_split"], WrapValidator(in_one_line)]


def of_two_kinds(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    try:
        return check(value)
    except ValidationError:
        raise ValueError(f"{shown(value)}: must be auto, or how many from 1 to 1000") from None


HowMany = Annotated[Annotated[int, Field(ge=1, le=1000)] | Literal["auto"], WrapValidator(of_two_kinds)]


class Evaluate(Section):
    extractor: Filled[Extractor]
    extractor_weights: str | None = Field(description="where Inception's weights lie, if not in the cache")
    clip: str | None = Field(
        default=None,
        min_length=1,
        description="a folder with a CLIPModel of transformers, to which images are near their captions or not",
    )
    images: Filled[Images] = Field(
        description=f"of a sample set; test_split: as many as that has, {MOST_IMAGES} at most"
    )
    sets: Filled[int] = Field(ge=2, le=100)
    batch_size: PositiveInt
    seed: int = Field(ge=0, lt=2**63)
    precision: Precision = Field(default="float32", description="of the network's products while it samples")
    compile: bool = Field(default=False, description="the network by torch.compile while it samples")
    devices: HowMany = Field(default="auto", description="that share the sampling; auto: all GPUs, or the processor")

    def count(self, num_test: int) -> int:
        """Images of a sample set, with a test split of so many."""
        return min(num_test, MOST_IMAGES) if self.images == "test_split" else self.images


class Probe(Section):
    """What is drawn of each method to compare them side by side, beside what is timed."""

    images: int = Field(default=32, ge=2, le=1000, description="whose ways from noise to data are looked at")
    steps: int = Field(default=500, ge=20, le=10_000, description="that few steps are held against")
    rounds: int = Field(default=30, ge=4, le=1000, description="times that what is timed is timed, methods in turn")


class Register(Section):
    model_name: Filled[str] = Field(min_length=1, pattern=r"^[^/:]+$")
    metric: Filled[str] = Field(description="null: the Frechet distance of evaluate.extractor")
    nfe: PositiveInt


class Roles(Section):
    """Which methods the claims mean; where `ours` or `baseline` is not among the methods, claims are not measured."""

    ours: str = Field(default="flow_matching", description="the method that the claims are about")
    baseline: str = Field(default="diffusion", description="what it is compared with")
    stronger: str = Field(default="edm", description="shows whether the baseline is weak, where there is such a method")
    over: str = Field(
        default="from_diffusion", description="goes on from the baseline as ours, where there is such a method"
    )
    further: str = Field(default="more_diffusion", description="goes on from the baseline as the baseline instead")

    @model_validator(mode="after")
    def roles_differ(self) -> "Roles":
        roles: dict[str, list[str]] = {}
        for role, method in self:
            roles.setdefault(method, []).append(role)
        twice = next(((method, each) for method, each in roles.items() if len(each) > 1), None)
        if twice is not None:
            method, each = twice
            raise ValueError(
                "ours, baseline, stronger, over and further: must be different methods, not "
                f"{shown(method)} as {' and '.join(each)}"
            )
        return self
