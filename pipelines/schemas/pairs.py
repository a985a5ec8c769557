"""What making pairs comes to."""

from pydantic import Field

from pipelines.schemas.schema import Schema


class PairsMetrics(Schema):
    """metrics/pairs/<method>.json."""

    pairs: int
    seconds: float = Field(description="spent making them, over all resumptions")
