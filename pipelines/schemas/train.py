"""What a training writes beside the model."""

from dataclasses import asdict
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from fm.arithmetic import Arithmetic
from pipelines.schemas.machine import Load
from pipelines.schemas.schema import Schema


class Before(Schema):
    """What the network had cost before a training, where it goes on from another method's."""

    method: str = Field(description="whose network it was; it may have gone on from another itself")
    images_seen: int = Field(description="by then, over all trainings")
    seconds: float = Field(description="spent training by then, and on earlier pairs")
    pairs_seconds: float = Field(default=0.0, description="spent on the pairs that its network then made to train on")

    @property
    def seconds_in_all(self) -> float:
        return self.seconds + self.pairs_seconds


class TrainMetrics(Schema):
    """metrics/train/<method>.json; all but `before` is of this training alone."""

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
    before: Before | None = Field(default=None, description="none where the network began with random weights")

    @model_serializer(mode="wrap")
    def without_what_is_not_there(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = written(self)
        return {name: value for name, value in content.items() if name != "before" or value is not None}

    @property
    def images_seen_in_all(self) -> int:
        """By the network, from its random weights on."""
        return self.images_seen + (0 if self.before is None else self.before.images_seen)

    @property
    def seconds_in_all(self) -> float:
        """Spent on training it, from its random weights on, pairs included."""
        return self.seconds + (0.0 if self.before is None else self.before.seconds_in_all)

    def behind(self, method: str, pairs_seconds: float = 0.0) -> Before:
        """What `method`, whose training this was, hands on with its network, and with pairs that took so long."""
        return Before(
            method=method,
            images_seen=self.images_seen_in_all,
            seconds=self.seconds_in_all,
            pairs_seconds=pairs_seconds,
        )

    def chosen(self) -> dict[str, object]:
        """How it was computed, by name."""
        how = {} if self.arithmetic is None else asdict(self.arithmetic)
        return {"device": self.device, **{f"arithmetic.{name}": value for name, value in how.items()}}
