"""Captioned pictures that a tiny encoder has words for: a bar at some side, red or blue."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fm.conditions import Condition, Text
from fm.config import Config
from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from fm.generator import Generator
from fm.metrics.captions.attributes import AttributeClassifier
from fm.metrics.captions.judges import Judges
from fm.metrics.extractors import Asked, TwoTowers
from fm.text import Encoder, MiniLM
from tests.fm.text.tiny import tiny_encoder

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255)}
SIDES = {"left": np.s_[:, :3], "right": np.s_[:, 5:], "upper": np.s_[:3], "lower": np.s_[5:]}
CAPTION = "the {} {} bar"
ALL = [(colour, side) for colour in COLOURS for side in SIDES]


def picture(colour: str, side: str, light: float = 1.0) -> NDArray[np.uint8]:
    made = np.zeros((8, 8, 3), np.uint8)
    made[SIDES[side]] = (np.array(COLOURS[colour]) * light).astype(np.uint8)
    return made


def bars(folder: Path, of_each: int = 60, captions: bool = True) -> Prepared:
    """Of each combination so many, some darker than others, and ten to test with; the label is the colour."""
    random = np.random.default_rng(0)
    train, test = ([one for one in ALL for _ in range(count)] for count in (of_each, 10))
    images, labels, texts, about = ([], [], [], [])
    for some in (train, test):
        images.append(np.stack([picture(*one, random.uniform(0.6, 1)) for one in some]))
        labels.append(np.array([list(COLOURS).index(colour) for colour, _ in some]))
        texts.append(tuple((CAPTION.format(*one), f"a {one[0]} bar {one[1]}") for one in some) if captions else ())
        fields = {"side": tuple(side for _, side in some), "held_out": ("" if some is train else "light",) * len(some)}
        about.append(fields)
    write(
        folder,
        Splits(
            train_images=images[0],
            train_labels=labels[0],
            test_images=images[1],
            test_labels=labels[1],
            label_names=tuple(COLOURS),
            train_texts=texts[0],
            test_texts=texts[1],
            train_about=about[0],
            test_about=about[1],
        ),
        "bars",
    )
    return Prepared.open(folder)


def encoder_in(folder: Path) -> Encoder:
    """A tiny one, whose files are written there."""
    return MiniLM(length=8, place=str(tiny_encoder(folder)))


def asked_for(dataset: Prepared, encoder: Encoder, cache: Path) -> Asked:
    return Asked("two_towers", dataset, torch.device("cpu"), None, cache, lambda line: None, encoder)


def shortly_trained(asked: Asked) -> Judges:
    """Long enough for bars."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in (TwoTowers, AttributeClassifier):
            patch.setattr(kind, "least_steps", 60)
            patch.setattr(kind, "training_batch", 32)
            patch.setattr(kind, "epochs", 1)
        return Judges.trained(asked)


class Knowing(nn.Module):
    """A network that predicts the picture of the caption that it is told: by its tokens, it knows them all."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))
        made = encoder.encode([CAPTION.format(*one) for one in ALL])
        self.words = made.values.half().float().sum(dim=1)
        known = np.stack([picture(*one, 0.8) for one in ALL])
        self.pictures = torch.from_numpy(known).float().movedim(-1, 1) / 127.5 - 1

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        heard = condition["text"].sum(dim=1)
        return self.pictures[torch.cdist(heard, self.words).argmin(dim=1)]


class Deaf(Knowing):
    """The same that hears nothing: the mean of all."""

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        return self.pictures.mean(dim=0).expand_as(x)


def generator(encoder: Encoder, network: nn.Module, path: str = "cond_ot") -> Generator:
    config = Config(
        path=path,
        target="data",
        network={"name": "transformer", "width": 8, "blocks": 1, "heads": 2},
        sampler={"solver": "ddim", "steps": 2},
        codec={"name": "pixels", "stored": [8, 8, 3]},
        conditioner=Text.by(encoder).choice,
    )
    return Generator.untrained(config).around(network)
