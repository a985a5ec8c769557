"""A network trained on the dataset itself that looks along all its axes: `fid_space_time` of fields, videos and
volumes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from fm.codecs import BESIDE, Codec
from fm.lazy import torch
from fm.metrics.extractors.extractor import (
    Asked,
    Extractor,
    ExtractorError,
    Floats,
    Labels,
    describe,
    described,
    in_batches,
)

if TYPE_CHECKING:
    from torch import Tensor

    from fm.metrics.extractors.space_time_network import SpaceTimeNetwork

WEIGHTS = "extractor.safetensors"
BATCH = 100
LOOKED_AT = 500
"""Training data by which it is told whether data go on at the other side."""


class SpaceTime(
    Extractor,
    name="space_time",
    title="a space-time network",
    says="the features of a network trained to see how far this dataset's data are damaged, and to tell their labels",
    source="turned phases: Theiler et al. 1992, Physica D 58",
    dimensions=32,
):
    """Needs data along one, two or three axes, with labels or without.

    Where there are labels it is a classifier too.

    >>> SpaceTime.name, SpaceTime.dimensions
    ('space_time', 32)
    """

    epochs: ClassVar[int] = 20
    least_steps: ClassVar[int] = 400
    most_seen: ClassVar[int] = 40_000
    training_batch: ClassVar[int] = 64

    def __init__(self, network: SpaceTimeNetwork, sizes: dict[str, Any], codec: Codec, device: torch.device) -> None:
        """
        Args:
            codec: of the data that it was trained on; those of others are decoded and encoded by it.
        """
        self.network = network.to(device).eval()
        self.sizes, self.codec, self.device = sizes, codec, device

    @classmethod
    def prepare(cls, asked: Asked) -> Self:
        """Raises ExtractorError: the data have no axis, or more than three."""
        from fm.metrics.extractors.space_time_network import Damaging, SpaceTimeNetwork, going_round, learning
        from fm.metrics.fitting import Schedule, epochs_of, fit, own_order

        dataset, codec, data = asked.dataset, asked.dataset.codec, asked.data
        if len(codec.shape) not in (2, 3, 4):
            raise ExtractorError(
                f"extractor space_time: needs data along one to three axes, and each datum of {dataset.name} is "
                f"{codec.shape}, channels first: take an extractor of your own"
            )
        names = dataset.label_names
        classes = len(names) if len(names) > 1 else 0
        some = np.linspace(0, len(data) - 1, min(len(data), LOOKED_AT)).astype(np.int64)
        wraps = going_round(codec.encode(data[some]))
        sizes: dict[str, Any] = {"shape": codec.shape, "classes": classes, "wraps": wraps}
        batch_size = min(cls.training_batch, len(data))
        epochs = epochs_of(len(data), batch_size, cls.epochs, cls.least_steps, cls.most_seen)
        torch.manual_seed(0)
        network = SpaceTimeNetwork(**sizes)
        schedule = Schedule(epochs, batch_size, peak_learning_rate=3e-3)
        loss = learning(dataset.train.column("label") if classes else None)
        whole = Damaging(network, codec.scale)
        fit(whole, data, loss, schedule, asked.device, asked.report, own_order(dataset.train), codec.encode)
        return cls(network, sizes, codec, asked.device)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        from safetensors.torch import load_file

        from fm.metrics.extractors.space_time_network import SpaceTimeNetwork
        from fm.networks.layers import in_channels_last

        said = described(folder)
        network = in_channels_last(SpaceTimeNetwork(**said["sizes"]))
        network.load_state_dict(load_file(folder / WEIGHTS))
        return cls(network, said["sizes"], Codec.of(said["codec"]).loaded(folder / BESIDE), device)

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        describe(folder, self.setting, sizes=self.sizes, codec=self.codec.choice)
        self.codec.save(folder / BESIDE)
        weights = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / WEIGHTS)

    def features(self, data: NDArray[Any]) -> Floats:
        return in_batches(lambda part: self.network.features(self.encoded(part)), data, BATCH)

    def classify(self, data: NDArray[Any]) -> Labels | None:
        if self.sizes["classes"] == 0:
            return None
        logits = in_batches(lambda part: self.network(self.encoded(part)).logits, data, BATCH)
        seen: Labels = logits.argmax(axis=1).astype(np.int64)
        return seen

    def encoded(self, data: NDArray[Any]) -> Tensor:
        return self.codec.encode(data).to(self.device)
