"""The section `network`, the common one's and a method's own."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pipelines.params.section import Section


class Network(Section):
    """One of the networks; the sizes that its kind does not have stay null."""

    kind: Literal["unet", "transformer"] = "unet"
    width: int | None = Field(default=None, ge=8, le=4096, multiple_of=8)
    blocks: int | None = Field(default=None, ge=1, le=128)
    patch_size: int | None = Field(default=None, ge=1, le=512)
    multipliers: list[Annotated[int, Field(ge=1, le=64)]] | None = Field(default=None, min_length=1, max_length=10)
    heads: int | None = Field(default=None, ge=1, le=256)

    @model_validator(mode="after")
    def sizes_fit_the_kind(self) -> "Network":
        foreign = {"unet": "heads", "transformer": "multipliers"}[self.kind]
        if getattr(self, foreign, None) is not None:
            raise ValueError(f"a network of kind {self.kind} has no {foreign}: must be null")
        return self

    def sizes(self) -> dict[str, Any]:
        """kind and sizes, as config.json has them."""
        return self.model_dump(exclude_none=True)
