"""Inception's weights are a download; a network of the same interface stands in for it, clean-fid is the oracle."""

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from cleanfid.fid import get_folder_features
from cleanfid.inception_torchscript import InceptionV3W
from PIL import Image
from torch import Tensor, nn

from fm.data.fetching import DatasetUnavailable
from fm.metrics.extractors import load
from fm.metrics.extractors.inception import WEIGHTS, InceptionExtractor

if TYPE_CHECKING:
    from conftest import Ask

NOWHERE = "http://127.0.0.1:1/"


class Layers(nn.Module):
    """2048 features of (B, 3, 299, 299)."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 128, 13, stride=73)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x).flatten(1)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "own" / "some.pt"
    path.parent.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Network()).save(str(path))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_those_of_clean_fid(ask: "Ask", tmp_path: Path, weights: Path, channels: int) -> None:
    asked = ask("inception", channels=channels, weights=weights)
    extractor = InceptionExtractor.prepare(asked, NOWHERE, sha256(weights))
    images = asked.dataset.test.data
    folder = tmp_path / "files"
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(np.repeat(image, 3 // channels, axis=2)).save(folder / f"{number:03}.png")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / WEIGHTS).write_bytes(weights.read_bytes())
    theirs = get_folder_features(
        str(folder),
        model=InceptionV3W(str(tmp_path / "theirs"), download=False),
        num_workers=0,
        batch_size=7,
        device=torch.device("cpu"),
        mode="clean",
        verbose=False,
    )
    assert extractor.features(images).shape == (20, 2048)
    np.testing.assert_allclose(extractor.features(images), theirs, rtol=1e-4, atol=1e-5)


def test_weights_are_kept_and_travel_with_what_is_saved(ask: "Ask", tmp_path: Path, weights: Path) -> None:
    asked = ask("inception", weights=weights)
    first = InceptionExtractor.prepare(asked, NOWHERE, sha256(weights))
    sum_of_it = sha256(weights)
    weights.unlink()
    again = InceptionExtractor.prepare(asked, NOWHERE, sum_of_it)
    again.save(tmp_path)
    (tmp_path / "cache" / "downloads" / "inception" / WEIGHTS).unlink()
    images = asked.dataset.test.data
    assert np.array_equal(load(tmp_path, torch.device("cpu")).features(images), first.features(images))


def test_other_weights_are_refused_with_what_to_do(ask: "Ask", weights: Path) -> None:
    with pytest.raises(DatasetUnavailable) as failure:
        InceptionExtractor.prepare(ask("inception", weights=weights), NOWHERE)
    message = str(failure.value)
    assert f"evaluate.extractor_weights ({weights}): {WEIGHTS}: broken: the SHA-256 of its content" in message
    assert "or name where it lies with evaluate.extractor_weights" in message
    assert "evaluate.extractor: efficientnet_lite0 or classifier" in message
