"""What the stage encode comes to."""

from pydantic import Field

from pipelines.schemas.schema import Schema


class EncodeMetrics(Schema):
    """metrics/encode.json."""

    encoder: str
    length: int = Field(description="of a text in tokens, as the encoder has it at most")
    captions: int = Field(description="different ones")
    tokens: int = Field(description="of all of them")
    cut: int = Field(description="captions with more tokens than that")
    without: int = Field(description="images that have none")
    seconds: float = Field(description="spent, but for what an earlier attempt that was cut short had left")
