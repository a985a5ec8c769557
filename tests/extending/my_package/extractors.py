from pathlib import Path
from typing import Self

import numpy as np
import torch

from fm.images import Images
from fm.metrics.extractors import Asked, Extractor, Floats
from fm.metrics.extractors.extractor import describe


class RowMeans(Extractor, says="how bright each row of an image is"):
    @classmethod
    def prepare(cls, asked: Asked) -> Self:
        return cls()

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        return cls()

    def save(self, folder: Path) -> None:
        describe(folder, self.setting)

    def features(self, images: Images) -> Floats:
        return images.mean(axis=(2, 3)).astype(np.float32) / 255
