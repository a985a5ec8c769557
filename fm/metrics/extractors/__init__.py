"""What images are measured with. This is the one place where another feature extractor plugs in.

A Frechet distance is FID in the features of the published Inception network only; with any other extractor it is
named after that extractor.
"""

from pathlib import Path

import torch

from fm.metrics.extractors.classifier import ClassifierExtractor
from fm.metrics.extractors.efficientnet import EfficientNetExtractor
from fm.metrics.extractors.extractor import Asked, Extractor, ExtractorError, Floats, described
from fm.metrics.extractors.inception import InceptionExtractor
from fm.metrics.extractors.own import OwnExtractor

__all__ = ["EXTRACTORS", "Asked", "Extractor", "ExtractorError", "Floats", "load", "prepare"]

EXTRACTORS: dict[str, type[Extractor]] = {
    "classifier": ClassifierExtractor,
    "inception": InceptionExtractor,
    "efficientnet_lite0": EfficientNetExtractor,
}


def prepare(asked: Asked) -> Extractor:
    """The extractor that is asked for: one of EXTRACTORS by name, or your own by its file."""
    return EXTRACTORS.get(asked.setting, OwnExtractor).prepare(asked)


def load(folder: Path, device: torch.device) -> Extractor:
    """The extractor that was saved in `folder`. Raises ExtractorError if there is none."""
    return EXTRACTORS.get(described(folder)["kind"], OwnExtractor).load(folder, device)
