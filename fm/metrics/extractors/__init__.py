"""What data are measured with. This is the one place where another feature extractor plugs in.

A Frechet distance is FID in the features of the published Inception network only; with any other extractor it is
named after that extractor.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import cast

from fm.components import required
from fm.extractor_names import OWN_FILE
from fm.lazy import torch
from fm.metrics.extractors.classifier import ClassifierExtractor
from fm.metrics.extractors.efficientnet import EfficientNetExtractor
from fm.metrics.extractors.extractor import (
    Asked,
    Extractor,
    ExtractorError,
    Floats,
    described,
    features_of,
    labels_of,
)
from fm.metrics.extractors.inception import InceptionExtractor
from fm.metrics.extractors.own import OWN, OwnExtractor
from fm.metrics.extractors.space_time import SpaceTime
from fm.metrics.extractors.two_towers import TwoTowers

__all__ = [
    "Asked",
    "ClassifierExtractor",
    "EfficientNetExtractor",
    "Extractor",
    "ExtractorError",
    "Floats",
    "InceptionExtractor",
    "SpaceTime",
    "TwoTowers",
    "features_of",
    "labels_of",
    "load",
    "prepare",
]


def prepare(asked: Asked, own: Container[str] = ()) -> Extractor:
    """The extractor that is asked for: one of the library's by name, one's own by its class or file.

    Args:
        own: what may be imported for it (components.build).
    """
    return extractor_class(asked.setting, own).prepare(asked)


def load(folder: Path, device: torch.device, own: Container[str] = ()) -> Extractor:
    """The extractor that was saved in `folder`. Raises ExtractorError if there is none."""
    kind = described(folder)["kind"]
    return (OwnExtractor if kind == OWN else extractor_class(kind, own)).load(folder, device)


def extractor_class(setting: str, own: Container[str]) -> type[Extractor]:
    """Raises ExtractorError: there is none, or it is one's own, not imported, and may not be."""
    if OWN_FILE.fullmatch(setting):
        return OwnExtractor
    try:
        return cast(type[Extractor], required("extractor", setting, own))
    except ValueError as error:
        raise ExtractorError(str(error)) from None
