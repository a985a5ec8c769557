"""What data are measured with: the one interface that every feature extractor has."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from fm.components import Component, label
from fm.data.prepared import Prepared
from fm.data.rows import Data, data_of
from fm.errors import UserError
from fm.images import Images
from fm.lazy import torch
from fm.text.encoder import Encoder

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

FILE = "extractor.json"


class ExtractorError(UserError):
    """An extractor cannot be had or does not do what it should; the message says why."""


@dataclass(frozen=True)
class Asked:
    """What an extractor may need to be prepared.

    Attributes:
        setting: evaluate.extractor of params.yaml.
        weights: where the user has its weights, if said.
        cache: the folder which it may keep downloads in.
        report: takes a line for people.
        encoder: what reads captions, where networks are told them.

    >>> Asked("inception", None, torch.device("cpu"), weights=None, cache=Path(".cache"), report=print).setting
    'inception'
    """

    setting: str
    dataset: Prepared
    device: torch.device
    weights: Path | None
    cache: Path
    report: Callable[[str], None]
    encoder: Encoder | None = None

    @property
    def data(self) -> Data:
        """The training split as it is stored, (N, *stored); slices and rows of it are arrays."""
        return data_of(self.dataset.train)

    @property
    def images(self) -> Data:
        """The same of pictures, uint8 (N, H, W, 1 or 3). Raises ExtractorError: it has others, such as videos."""
        stored, (_, dtype) = self.dataset.stored, self.dataset.train.kinds["data"]
        if dtype != "uint8" or len(stored) != 3 or stored[-1] not in (1, 3):
            raise ExtractorError(
                f"extractor {self.setting}: needs pictures, uint8 (height, width, 1 or 3), and each datum of "
                f"{self.dataset.name} is {dtype} {stored}: take space_time, which looks along one to three axes"
            )
        return self.data


class Extractor(Component, ABC, kind="extractor"):
    """Turns data as they are stored, (N, *stored), into features float32 (N, D): pictures are uint8 (N, H, W, C).

    One that looks at pictures alone is prepared from `Asked.images`, one that looks at others too from `Asked.data`.

    It has no options; a class of this kind has an `__init__` of its own, and is made by `prepare` or `load`.

    Attributes:
        name: what its distances are called after.
        setting: what settings call it, which is to be saved with it (describe).
        dimensions: D, where it is known before the extractor is made, else 0.
        of_pictures: whether it looks at pictures alone.
        layers: modules of its `network` whose activations (B, C, H, W) say how different pictures look
            (fm.autoencoding.Perceptual); none where there are none.

    >>> class Means(Extractor):
    ...     @classmethod
    ...     def prepare(cls, asked):
    ...         return cls()
    ...     @classmethod
    ...     def load(cls, folder, device):
    ...         return cls()
    ...     def save(self, folder):
    ...         describe(folder, self.setting)
    ...     def features(self, data):
    ...         return data.mean(axis=(1, 2), dtype=np.float32)
    >>> Means().features(np.full((2, 8, 8, 3), 7, np.uint8))
    array([[7., 7., 7.],
           [7., 7., 7.]], dtype=float32)
    """

    setting: ClassVar[str]
    dimensions: ClassVar[int]
    of_pictures: ClassVar[bool] = False
    layers: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[Mapping[str, str]] = {"features": "dimensions"}

    def __init_subclass__(cls, *, dimensions: int = 0, **others: Any) -> None:
        super().__init_subclass__(**others)
        cls.dimensions = dimensions
        if "kind" not in others:
            cls.setting, cls.name = cls.name, label(cls.name)

    @classmethod
    @abstractmethod
    def prepare(cls, asked: Asked) -> Self:
        """Train it, or get its weights; deterministic. Raises UserError if that cannot be."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """What `save` wrote, which is complete: nothing else is needed."""

    @abstractmethod
    def save(self, folder: Path) -> None: ...

    @abstractmethod
    def features(self, data: NDArray[Any]) -> Floats: ...

    def classify(self, data: NDArray[Any]) -> Labels | None:
        """The label it sees in each datum, int64 (N,); none if it knows no labels."""
        return None


def describe(folder: Path, kind: str, **content: Any) -> None:
    """Write the file that says which extractor lies in a folder."""
    (folder / FILE).write_text(json.dumps({"kind": kind, **content}, indent=2) + "\n", encoding="utf-8")


def described(folder: Path) -> dict[str, Any]:
    """What `describe` wrote. Raises ExtractorError if there is nothing of the kind."""
    try:
        content: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        content["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExtractorError(f"{folder}: there is no extractor here ({error}): `dvc repro features` makes it") from None
    return content


def in_batches(function: Callable[[NDArray[Any]], Tensor], data: Data, size: int) -> Floats:
    """`function` of `size` data at a time, put together, float32 (N, D), finite. Raises ExtractorError if not."""
    with torch.no_grad():
        features = np.concatenate([function(chunk).float().cpu().numpy() for chunk in chunks(data, size)])
    if not np.isfinite(features).all():
        raise ExtractorError("the extractor's features are not finite: its training diverged, or its file is damaged")
    return features


def chunks(data: Data, size: int) -> Iterator[NDArray[Any]]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


TOGETHER = 10_000
"""Data that are in memory at once: a multiple of what the library's extractors take at a time."""


def features_of(extractor: Extractor, data: Data) -> Floats:
    """Its features of however many data, (N, *stored) -> float32 (N, D)."""
    return np.concatenate([extractor.features(some) for some in chunks(data, TOGETHER)])


def labels_of(extractor: Extractor, data: Data) -> Labels | None:
    """What it sees in however many data, (N, *stored) -> int64 (N,); none if it knows no labels."""
    seen = [extractor.classify(some) for some in chunks(data, TOGETHER)]
    known = [labels for labels in seen if labels is not None]
    return np.concatenate(known) if known else None


def rgb(images: Images) -> Images:
    """Grey images (N, H, W, 1) as (N, H, W, 3), which published networks ask for; others as they are."""
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
