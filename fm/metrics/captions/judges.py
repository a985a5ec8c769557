"""Who looks at what a text-conditioned model makes: networks that were trained on the real pictures and their
captions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from fm.images import Images
from fm.metrics.captions.attributes import Attribute, AttributeClassifier
from fm.metrics.captions.clip_score import CLIPJudge
from fm.metrics.extractors import Asked, TwoTowers

TOWERS, CLASSIFIER = "towers", "attributes"
PLACE, SEES, TO_CLIP = "place", "sees ", "to clip"


@dataclass(frozen=True)
class Judges:
    """Two towers, a classifier of attributes where the data have some, and a CLIP where somebody has one.

    >>> from fm.metrics.extractors.two_towers_network import Towers
    >>> from fm.text import MiniLM
    >>> sizes, device = {"channels": 1, "height": 8, "width": 8, "words": 384}, torch.device("cpu")
    >>> judges = Judges(TwoTowers(Towers(**sizes), sizes, MiniLM(), MiniLM().sums, device), None)
    >>> {name: seen.shape for name, seen in judges.look(np.zeros((5, 8, 8, 1), np.uint8)).items()}
    {'place': (5, 64)}
    """

    towers: TwoTowers
    classifier: AttributeClassifier | None
    clip: CLIPJudge | None = None

    @classmethod
    def trained(cls, asked: Asked, towers: TwoTowers | None = None) -> Self:
        """Functions of the data alone.

        Args:
            towers: where there are some already.

        Raises:
            ExtractorError: there is no text encoder.
        """
        return cls(towers or TwoTowers.prepare(asked), AttributeClassifier.trained(asked))

    @classmethod
    def load(cls, folder: Path, device: torch.device, clip: Path | None = None) -> Self:
        """What `save` wrote, with a CLIP that lies elsewhere. Raises ExtractorError, EncoderError: there is nothing of
        the kind."""
        there = (folder / CLASSIFIER).is_dir()
        return cls(
            TwoTowers.load(folder / TOWERS, device),
            AttributeClassifier.load(folder / CLASSIFIER, device) if there else None,
            None if clip is None else CLIPJudge.of(clip, device),
        )

    def save(self, folder: Path) -> None:
        for name, judge in ((TOWERS, self.towers), (CLASSIFIER, self.classifier)):
            if judge is not None:
                (folder / name).mkdir(parents=True)
                judge.save(folder / name)

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        return () if self.classifier is None else self.classifier.attributes

    def look(self, images: Images) -> dict[str, NDArray[Any]]:
        """Of each picture: PLACE, where the towers put it, float32 (N, D) of length 1; under SEES and its field the
        number of each attribute's value, int64 (N,); and TO_CLIP, where CLIP puts it, as PLACE."""
        seen = {} if self.classifier is None else self.classifier.see(images)
        return {
            PLACE: directions(self.towers.features(images)),
            **{f"{SEES}{field}": of for field, of in seen.items()},
            **({} if self.clip is None else {TO_CLIP: self.clip.look(images)}),
        }


def directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) made of length 1."""
    made: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made
