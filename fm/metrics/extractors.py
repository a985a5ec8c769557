"""What images are measured with. This is the one place where another feature extractor plugs in.

A Frechet distance is FID in the features of the published Inception network only; with any other extractor it is
named after that extractor.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file

from fm.data.prepared import Prepared
from fm.images import Images, to_float
from fm.metrics.classifier import Classifier, Schedule, train_classifier

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


class Extractor(ABC):
    """Turns uint8 images (N, H, W, C) into features float32 (N, D)."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def prepare(cls, dataset: Prepared, device: torch.device, report: Callable[[str], None]) -> Self:
        """Train it, or fetch its weights; deterministic."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, device: torch.device) -> Self: ...

    @abstractmethod
    def save(self, folder: Path) -> None: ...

    @abstractmethod
    def features(self, images: Images) -> Floats: ...

    @abstractmethod
    def classify(self, images: Images) -> Labels | None:
        """The label it sees in each image, int64 (N,); none if it knows no labels."""


class ClassifierExtractor(Extractor):
    """Penultimate features of a classifier trained on the dataset itself: `fid_classifier`."""

    name = "classifier"
    epochs: ClassVar[int] = 3
    least_steps: ClassVar[int] = 600

    def __init__(self, network: Classifier, sizes: dict[str, int], device: torch.device) -> None:
        self.network = network.to(device).eval()
        self.sizes = sizes
        self.device = device

    @classmethod
    def prepare(cls, dataset: Prepared, device: torch.device, report: Callable[[str], None]) -> Self:
        sizes = {"channels": dataset.channels, "image_size": dataset.image_size, "num_classes": dataset.num_classes}
        batch_size = 128
        epochs = max(cls.epochs, -(-cls.least_steps * batch_size // len(dataset.train.images)))
        torch.manual_seed(0)
        network = Classifier(**sizes)
        schedule = Schedule(epochs, batch_size, peak_learning_rate=3e-3)
        train_classifier(network, dataset.train.images, dataset.train.labels, schedule, device, report)
        return cls(network, sizes, device)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        sizes = json.loads((folder / "extractor.json").read_text())["sizes"]
        network = Classifier(**sizes).to(memory_format=torch.channels_last)
        network.load_state_dict(load_file(folder / "extractor.safetensors"))
        return cls(network, sizes, device)

    def save(self, folder: Path) -> None:
        content = {"name": self.name, "sizes": self.sizes}
        (folder / "extractor.json").write_text(json.dumps(content, indent=2) + "\n")
        weights = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / "extractor.safetensors")

    def features(self, images: Images) -> Floats:
        return self._batched(self.network.body, images)

    def classify(self, images: Images) -> Labels:
        seen: Labels = self._batched(self.network, images).argmax(axis=1).astype(np.int64)
        return seen

    @torch.no_grad()
    def _batched(self, function: Callable[[torch.Tensor], torch.Tensor], images: Images) -> Floats:
        chunks = [images[start : start + 500] for start in range(0, len(images), 500)]
        return np.concatenate([function(to_float(chunk).to(self.device)).cpu().numpy() for chunk in chunks])


EXTRACTORS: dict[str, type[Extractor]] = {"classifier": ClassifierExtractor}


def load(folder: Path, device: torch.device) -> Extractor:
    """The extractor that was saved in `folder`."""
    name = json.loads((folder / "extractor.json").read_text())["name"]
    return EXTRACTORS[name].load(folder, device)
