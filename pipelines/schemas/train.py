"""What a training writes beside the model."""

from pydantic import Field

from pipelines.schemas.machine import Load
from pipelines.schemas.schema import Schema


class TrainMetrics(Schema):
    """metrics/train/<method>.json."""

    images_seen: int
    steps: int
    seconds: float = Field(description="spent training, over all resumptions")
    images_per_second: float
    peak_memory_bytes: int = Field(description="device memory on a GPU, resident set on a CPU")
    final_loss: float = Field(description="mean over the last tenth of training")
    parameters: int
    flops: int = Field(description="of one call of the network for one image (fm.networks.flops)")
    resumed: int = Field(description="times the training was resumed")
    machine_load: Load | None = Field(default=None, description="since it was resumed last; none in files of before")
