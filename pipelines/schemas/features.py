"""What the stage features writes beside the features."""

from pydantic import Field

from pipelines.schemas.machine import Load
from pipelines.schemas.schema import Schema


class FeatureMetrics(Schema):
    """metrics/features.json: the extractor that everything is measured with."""

    extractor: str
    dimensions: int
    test_accuracy: float | None = Field(description="share of the test split it labels rightly; none without labels")
    seconds: float
    machine_load: Load | None = Field(default=None, description="meanwhile; none in files of before it was recorded")
