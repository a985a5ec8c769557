"""What the stage encode comes to."""

from pydantic import Field

from pipelines.schemas.schema import Schema


class EncodeMetrics(Schema):
    """metrics/encode.json: of captions, where networks are told them, and of latents, where they see those."""

    encoder: str | None = Field(default=None, description="of captions")
    length: int = Field(default=0, description="of a text in tokens, as the encoder has it at most")
    captions: int = Field(default=0, description="different ones")
    tokens: int = Field(default=0, description="of all of them")
    cut: int = Field(default=0, description="captions with more tokens than that")
    without: int = Field(default=0, description="images that have none")
    latents: int = Field(default=0, description="pictures that were encoded, of both splits")
    latents_bytes: int = Field(default=0, description="that those take")
    seconds: float = Field(description="spent, but for captions that an earlier attempt that was cut short had left")
    peak_memory_bytes: int = Field(default=0, description="device memory on a GPU, resident set on a CPU")
