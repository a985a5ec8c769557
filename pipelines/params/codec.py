"""The section `codec`: what networks are trained on, the data as they are prepared or latents of an autoencoder."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    PositiveInt,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from pydantic_core import CoreSchema, core_schema

from fm import components
from fm.components import Choice
from fm.errors import shown
from fm.networks import Autoencoder
from pipelines.params.section import Filled, Section

STARTS = "starts"
"""The folder of the checkout in which DVC sees what comes from elsewhere."""


def in_starts(folder: str) -> bool:
    """Whether a path is below that folder.

    >>> in_starts("starts/ours"), in_starts("starts"), in_starts("starts/../own")
    (True, False, False)
    """
    parts = PurePosixPath(folder).parts
    return parts[:1] == (STARTS,) and len(parts) > 1 and ".." not in parts


class AutoencoderSetting:
    """A kind of autoencoder with its options, `{kind: autoencoder_kl, latent_channels: 4}`, or a folder with one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        known = {name: components.schema_of(name, one) for name, one in components.known("autoencoder").items()}
        own = {"type": "string", "pattern": f"^{components.PLACE.pattern}$"}
        ones_own = {"type": "object", "properties": {"kind": own}, "required": ["kind"]}
        folder = {"type": "string", "pattern": f"^{STARTS}/"}
        return {"anyOf": [folder, *(of_kind(name, one) for name, one in known.items()), ones_own]}

    def check(self, given: Any, info: ValidationInfo) -> str | dict[str, Any]:
        if isinstance(given, str):
            if not in_starts(given):
                raise ValueError(
                    f"{shown(given)}: must be a folder below {STARTS}/ with an autoencoder as diffusers has it, or one "
                    "to be trained, like {kind: autoencoder_kl, latent_channels: 4}"
                )
            return given
        if not isinstance(given, dict) or "kind" not in given:
            raise ValueError(f"must be like {{kind: autoencoder_kl, latent_channels: 4}}, not {shown(given)}")
        options = {key: value for key, value in given.items() if key != "kind"}
        if "name" in options:
            raise ValueError("there is no such setting as name; did you mean kind?")
        chosen = components.read("autoencoder", {**options, "name": given["kind"]}, (info.context or {}).get("own", ()))
        kind, options = components.parts(chosen)
        return {"kind": kind, **options}


def of_kind(name: str, choice: dict[str, Any]) -> dict[str, Any]:
    """JSON schema of one of the library's autoencoders, its name under `kind`."""
    options = {key: one for key, one in choice["properties"].items() if key != "name"}
    return {
        "type": "object",
        "description": choice["description"],
        "properties": {"kind": {"const": name}, **options},
        "required": ["kind"],
        "additionalProperties": False,
    }


def require_fitting(autoencoder: Autoencoder, image_size: int, channels: int) -> None:
    """Raises ValueError: it makes no latents of such images."""
    if image_size % (factor := autoencoder.factor):
        raise ValueError(
            f"codec.autoencoder: one point of its latents is {factor} pixels a side, and dataset.image_size = "
            f"{image_size}: must be a multiple of that"
        )
    if image_size == factor:
        raise ValueError(
            f"codec.autoencoder: one point of its latents is {factor} pixels a side, all of dataset.image_size = "
            f"{image_size}: must be half of it at most, or networks have no grid to look at"
        )
    if autoencoder.in_channels != channels:
        raise ValueError(
            f"codec.autoencoder.in_channels = {autoencoder.in_channels}: must be dataset.channels, {channels}"
        )


class Codec(Section):
    """All but `kind` is of latents alone."""

    kind: Filled[Literal["pixels", "latents"]] = Field(description="pixels: the data as they are prepared")
    autoencoder: Filled[Annotated[Any, AutoencoderSetting()]] = Field(
        description="its kind with options, to be trained on the images; or a folder below starts/ with a trained one"
    )
    sampled: Filled[bool] = Field(description="whether training draws latents from their distribution; else its mean")
    scaling: Literal["channels", "whole"] = Field(
        default="channels", description="of the latents: each channel by its own deviation, or all channels by one"
    )
    tile: Filled[int] = Field(ge=8, le=4096, description="side of the largest grid of latents decoded in one piece")
    images_seen: Filled[PositiveInt] = Field(description="by an autoencoder that is trained, as all that follows")
    batch_size: Filled[PositiveInt]
    crop: int | None = Field(default=None, ge=8, le=512, description="side of the part that it sees of each image")
    learning_rate: Filled[float] = Field(gt=0, le=1)
    error: Literal["l1", "l2"] = Field(
        default="l1", description="the absolute or the squared difference, which it makes small"
    )
    kl: Filled[float] = Field(ge=0, le=1000, description="weight of how far latents are from a standard normal")
    perceptual: Filled[float] = Field(
        ge=0, le=1000, description="weight of how different pictures look to evaluate.extractor"
    )
    adversarial: Filled[float] = Field(
        ge=0, le=1000, description="weight of a network that tells made patches from real ones, from half way on"
    )

    @property
    def of_latents(self) -> bool:
        return self.kind == "latents"

    @property
    def folder(self) -> str | None:
        """Where the autoencoder lies, if it is not to be trained."""
        return self.autoencoder if isinstance(self.autoencoder, str) else None

    @property
    def untrained(self) -> Choice:
        """The autoencoder that is to be trained, as fm.components has it."""
        options = {key: value for key, value in self.autoencoder.items() if key != "kind"}
        return {"name": self.autoencoder["kind"], **options}

    @field_validator("batch_size")
    @classmethod
    def batch_fits_budget(cls, size: int, known: ValidationInfo) -> int:
        if size > (seen := known.data.get("images_seen", size)):
            raise ValueError(f"{size}: must be at most images_seen, {seen}")
        return size

    @model_serializer(mode="wrap")
    def without_what_is_not_used(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = written(self)
        return content if self.of_latents else {"kind": self.kind}
