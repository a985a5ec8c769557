"""What a training writes beside the model."""

from dataclasses import asdict

from pydantic import Field

from fm.arithmetic import Arithmetic
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
    device: str | None = Field(default=None, description="what it was resumed on last; none in files of before")
    arithmetic: Arithmetic | None = Field(default=None, description="what was chosen, by itself or by a setting")
    machine_load: Load | None = Field(default=None, description="since it was resumed last; none in files of before")

    def chosen(self) -> dict[str, object]:
        """How it was computed, by name."""
        how = {} if self.arithmetic is None else asdict(self.arithmetic)
        return {"device": self.device, **{f"arithmetic.{name}": value for name, value in how.items()}}
