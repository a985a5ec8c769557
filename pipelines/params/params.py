"""The whole of params.yaml, and what its sections must be to each other."""

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import Field, ValidationInfo, field_validator, model_validator

from fm import components
from fm.arithmetic import whole_weights
from fm.components import ANY
from fm.errors import shown
from fm.extractor_names import compares_pictures, dimensions_of, extractor_name
from pipelines.params.codec import Codec, require_fitting
from pipelines.params.condition import Captions, Part
from pipelines.params.network import Network
from pipelines.params.row import BEGINNINGS, Method, unclipped
from pipelines.params.section import Section
from pipelines.params.sections import Dataset, Evaluate, Probe, Register, Roles, Train
from pipelines.project import ROOT
from pipelines.schemas.evaluation import deciding_metrics


def survives_yaml(name: str) -> bool:
    """Whether YAML, of any version, gives a name back as it is.

    >>> [survives_yaml(name) for name in ("diffusion", "11", "null", "1e5", "007")]
    [True, True, False, False, False]
    """
    try:
        float(name)
    except ValueError:
        return bool(yaml.safe_load(name) == name)
    return name.isdecimal() and str(int(name)) == name


def no_name(read: Any) -> str:
    """What to say of a row whose name YAML reads as something else than text.

    >>> no_name(11)
    "a row is called 11, which is a number to YAML: write '11'"
    """
    if isinstance(read, int) and not isinstance(read, bool):
        return f"a row is called {read}, which is a number to YAML: write '{read}'"
    return (
        f"a row has a name that YAML reads as {shown(read)} and not as text, as it does with yes, no, on, off, null "
        "and dates: call it otherwise"
    )


class Params(Section):
    dataset: Dataset
    network: Network
    train: Train
    codec: Codec
    methods: dict[str, Method] = Field(
        min_length=1, json_schema_extra={"propertyNames": {"pattern": "^_*[A-Za-z0-9][A-Za-z0-9_]*$"}}
    )
    compare: Roles = Roles()
    evaluate: Evaluate
    probe: Probe = Probe()
    register_: Register = Field(alias="register")

    @property
    def is_encoded(self) -> bool:
        """Whether something is made of the prepared data before networks are trained on them."""
        return isinstance(self.dataset.condition, Captions) or self.codec.of_latents

    @field_validator("methods", mode="before")
    @classmethod
    def common_network_is_null(cls, methods: Any, known: ValidationInfo) -> Any:
        """A row without a network of its own has the common one; where that is wrong, it is told once."""
        if not isinstance(methods, dict):
            return methods
        if no_text := [name for name in methods if not isinstance(name, str)]:
            raise ValueError(no_name(no_text[0]))
        begun = {name: [key for key in BEGINNINGS if is_given(row, key)] for name, row in methods.items()}
        for name, keys in begun.items():
            if len(keys) > 1:
                raise ValueError(f"{name}: {' and '.join(keys)}: it can have one beginning")
            if keys and is_given(methods[name], "network"):
                raise ValueError(f"{name}.network: must be null, since the network is that of {keys[0]}")
        common = known.data.get("network", Network.model_construct())
        return {
            name: {**row, "network": common} if isinstance(row, dict) and row.get("network", 0) is None else row
            for name, row in methods.items()
        }

    @field_validator("methods")
    @classmethod
    def rows_start_from_others(cls, methods: dict[str, Method]) -> dict[str, Method]:
        """And have their networks."""
        first = {name: methods[beginnings(methods, name)[0]] for name in methods}
        return {name: row.model_copy(update={"network": first[name].network}) for name, row in methods.items()}

    @field_validator("methods")
    @classmethod
    def latents_have_no_bound(cls, methods: dict[str, Method], known: ValidationInfo) -> dict[str, Method]:
        """So `clip: codec` comes to nothing, and samplers that differed by it are one."""
        codec = known.data.get("codec")
        if codec is None or not codec.of_latents:
            return methods
        return {name: row.model_copy(update={"samplers": unclipped(row.samplers)}) for name, row in methods.items()}

    @field_validator("methods")
    @classmethod
    def names_are_file_names(cls, methods: dict[str, Method]) -> dict[str, Method]:
        for name in methods:
            if not name.replace("_", "").isalnum() or not name.isascii():
                raise ValueError(f"a method's name has letters, digits and underscores only, not {shown(name)}")
            if not survives_yaml(name):  # dvc.yaml names rows too
                raise ValueError(f"a method cannot be called {name}, which means something else to YAML")
        return methods

    @model_validator(mode="after")
    def batch_fits_budget(self) -> "Params":
        seen, batch = self.train.images_seen, self.train.batch_size
        if seen < batch:
            raise ValueError(f"train.images_seen ({seen}) must be at least train.batch_size ({batch})")
        return self

    @model_validator(mode="after")
    def latents_are_of_the_images(self) -> "Params":
        if not self.codec.of_latents:
            return self
        try:
            size, channels = self.dataset.pictures
        except ValueError as error:
            raise ValueError(
                f"codec.kind = latents: autoencoders are of pictures, and {error}: must be pixels"
            ) from None
        if self.codec.folder is None:
            autoencoder = components.build("autoencoder", self.codec.untrained, ANY)
            require_fitting(autoencoder, size, channels)
            if (crop := self.codec.crop) is not None and (crop > size or crop % autoencoder.factor):
                raise ValueError(
                    f"codec.crop = {crop}: must be a multiple of {autoencoder.factor}, the pixels a side of one point "
                    f"of the latents, and at most dataset.image_size, {size}"
                )
        return self

    @model_validator(mode="after")
    def parts_are_of_what_is_stored(self) -> "Params":
        if self.codec.of_latents and isinstance(self.dataset.condition, Part):
            raise ValueError(
                f"dataset.condition = {self.dataset.condition.kind}: a part of the datum is given as it is stored: "
                "codec.kind must be pixels"
            )
        return self

    @model_validator(mode="after")
    def pairs_are_of_no_part(self) -> "Params":
        """Nobody's data belong to what a network makes of noise (fm.pairs.under)."""
        on_pairs = [name for name, row in self.methods.items() if row.pairs is not None]
        if on_pairs and isinstance(self.dataset.condition, Part):
            raise ValueError(
                f"methods.{on_pairs[0]}.pairs: not with dataset.condition = {self.dataset.condition.kind}: pairs are "
                "not drawn under a part of the data"
            )
        return self

    @model_validator(mode="after")
    def pictures_are_compared_by_layers(self) -> "Params":
        codec, extractor = self.codec, self.evaluate.extractor
        trained = codec.of_latents and codec.folder is None
        if trained and codec.perceptual and not compares_pictures(extractor):
            raise ValueError(
                f"codec.perceptual = {codec.perceptual:g}: evaluate.extractor = {extractor} has no layers to compare "
                "pictures by: must be 0, or the extractor classifier or efficientnet_lite0"
            )
        return self

    @model_validator(mode="after")
    def no_latents_in_a_mirror(self) -> "Params":
        if self.codec.of_latents and (share := self.train.horizontal_flips):
            raise ValueError(
                f"train.horizontal_flips = {share}: must be 0 with codec.kind latents, which are no picture's in a "
                "mirror when they are mirrored themselves"
            )
        return self

    @model_validator(mode="after")
    def snapshots_are_kept(self) -> "Params":
        """Those that samplers lead away from."""
        for name, method in self.methods.items():
            most = max((sampler.snapshot or 0 for sampler in method.samplers), default=0)
            if most > (kept := self.train.snapshots):
                raise ValueError(
                    f"methods.{name}.samplers: guidance away from snapshot {most}: train.snapshots must be at least as "
                    f"many, not {kept}"
                )
        return self

    @model_validator(mode="after")
    def no_condition_is_learnt(self) -> "Params":
        """What guidance leads away from."""
        for name, method in self.methods.items():
            elsewhere = self.methods[beginnings(self.methods, name)[0]].start_from  # where it may have learnt that
            if self.train.label_dropout == 0 and elsewhere is None and (key := method.guided) is not None:
                raise ValueError(
                    f"methods.{name}.{key}: guidance leads away from what the network says under no condition, and "
                    f"it never sees data so: train.label_dropout must be above 0, not {self.train.label_dropout:g}"
                )
        return self

    @model_validator(mode="after")
    def differences_are_not_lost(self) -> "Params":
        """In weights of 16 bits."""
        precision, sharded = str(self.train.precision), self.train.strategy == "fsdp"
        for name, method in self.methods.items():
            if method.objective.differences and not whole_weights(precision, sharded):
                right, beside = ("32-true", ", with strategy fsdp") if sharded else ("auto, 32-true or bf16-mixed", "")
                raise ValueError(
                    f"methods.{name}.objective: takes differences, which are lost in weights of 16 bits: "
                    f"train.precision must be {right}, not {precision}{beside}"
                )
        return self

    @model_validator(mode="after")
    def warm_up_fits_budget(self) -> "Params":
        steps, warm_up = self.train.steps, self.train.warmup_steps
        if warm_up > steps // 2:
            raise ValueError(
                f"train.warmup_steps = {warm_up}: must be at most half of the training's {steps:,} steps "
                "(train.images_seen / train.batch_size), or what is trained is mostly noise; null fits itself"
            )
        return self

    @model_validator(mode="after")
    def images_exceed_features(self) -> "Params":
        images, extractor = self.evaluate.images, self.evaluate.extractor
        if images != "test_split" and images <= (least := dimensions_of(extractor)):
            raise ValueError(too_few(f"evaluate.images = {images}", least, extractor))
        return self

    @model_validator(mode="after")
    def metric_is_measured(self) -> "Params":
        metric, extractor = self.register_.metric, self.evaluate.extractor
        measured = deciding_metrics(extractor_name(extractor, ANY))
        if metric not in measured:
            raise ValueError(
                f"register.metric = {shown(metric)}: with the extractor {extractor} it must be one of "
                f"{', '.join(measured)}"
            )
        return self


def is_given(row: Any, key: str) -> bool:
    """Whether a row as it is written has something of that name."""
    return isinstance(row, dict) and row.get(key) is not None


def beginnings(methods: Mapping[str, Method], name: str) -> list[str]:
    """The rows by which a row's network comes about: the one that starts from none, those between, the row itself.

    Raises:
        ValueError: there is no such row, or they start from each other.
    """
    passed = [name]
    while (start := methods[passed[0]].start) is not None:
        if start not in methods:
            there = ", ".join(methods)
            raise ValueError(
                f"{passed[0]}.start = {shown(start)}: must be another row: there are {there}{adding(start)}"
            )
        if start in passed:
            circle = " from ".join([*reversed(passed), start])
            raise ValueError(f"{name}.start: {circle}: must start from no row that starts from it")
        passed.insert(0, start)
    return passed


def adding(name: str) -> str:
    """The setting that adds a row of that name, where one comes with the project."""
    file = f"methods/{name}.yaml"
    return f"; methods.{name}=@{file} adds it" if name.isidentifier() and (ROOT / file).is_file() else ""


def too_few(what: str, dimensions: int, extractor: str) -> str:
    return (
        f"{what}: must be more than the {dimensions} features of the extractor {extractor}, "
        "or a Frechet distance means nothing: more images, or another evaluate.extractor"
    )
