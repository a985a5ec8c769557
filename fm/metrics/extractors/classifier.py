"""A classifier trained on the dataset itself, its penultimate layer as features: `fid_classifier`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from fm.images import Images, to_float
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
    from fm.metrics.extractors.classifier_network import Classifier

WEIGHTS = "extractor.safetensors"
BATCH = 500
"""Pictures that are looked at together; fewer where they have more pixels than these."""
PIXELS = BATCH * 64**2


class ClassifierExtractor(
    Extractor,
    name="classifier",
    says="the features of a classifier of this dataset",
    dimensions=64,
):
    """Needs a dataset with labels, and nothing else.

    >>> ClassifierExtractor.name, ClassifierExtractor.dimensions
    ('classifier', 64)
    """

    of_pictures = True
    layers = "body.2", "body.5", "body.9"
    epochs: ClassVar[int] = 3
    least_steps: ClassVar[int] = 600
    training_batch: ClassVar[int] = 128

    def __init__(self, network: Classifier, sizes: dict[str, int], device: torch.device) -> None:
        self.network = network.to(device).eval()
        self.sizes = sizes
        self.device = device
        self.batch = min(max(PIXELS // network.size**2, 1), BATCH)

    @classmethod
    def prepare(cls, asked: Asked) -> Self:
        from fm.metrics.extractors.classifier_network import LARGEST, Classifier, recognition
        from fm.metrics.fitting import Schedule, fit, own_order
        from fm.metrics.looking import all_looked_at

        dataset, images = asked.dataset, asked.images
        classes = len(dataset.label_names)
        if classes < 2:
            raise ExtractorError(
                f"evaluate.extractor = classifier: needs a dataset with labels, and {dataset.name} has "
                f"{classes or 'none'}: set it to efficientnet_lite0 or to inception"
            )
        _, height, width, channels = images.shape
        if height != width:
            raise ExtractorError(
                f"evaluate.extractor = classifier: needs square pictures, and those of {dataset.name} are "
                f"{width}x{height}: set it to efficientnet_lite0 or to inception"
            )
        sizes = {"channels": channels, "image_size": height, "num_classes": classes}
        if height % LARGEST == 0:  # as small as the network makes them, once and not in every epoch
            images = all_looked_at(images, asked.cache, LARGEST)
        batch_size = min(cls.training_batch, len(images))
        epochs = max(cls.epochs, -(-cls.least_steps * batch_size // len(images)))
        torch.manual_seed(0)
        network = Classifier(**sizes)
        schedule = Schedule(epochs, batch_size, peak_learning_rate=3e-3)
        loss = recognition(dataset.train.column("label"))
        fit(network, images, loss, schedule, asked.device, asked.report, own_order(dataset.train))
        return cls(network, sizes, asked.device)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        from safetensors.torch import load_file

        from fm.metrics.extractors.classifier_network import Classifier

        sizes = described(folder)["sizes"]
        network = Classifier(**sizes).to(memory_format=torch.channels_last)
        network.load_state_dict(load_file(folder / WEIGHTS))
        return cls(network, sizes, device)

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        describe(folder, self.setting, sizes=self.sizes)
        weights = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / WEIGHTS)

    def features(self, images: Images) -> Floats:
        return in_batches(lambda part: self.network.features(to_float(part).to(self.device)), images, self.batch)

    def classify(self, images: Images) -> Labels:
        logits = in_batches(lambda part: self.network(to_float(part).to(self.device)), images, self.batch)
        seen: Labels = logits.argmax(axis=1).astype(np.int64)
        return seen
