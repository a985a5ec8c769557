from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from fm.metrics.extractors import Extractor, load, prepare
from fm.metrics.extractors.efficientnet import COMPONENTS, EfficientNetExtractor, pretrained

if TYPE_CHECKING:
    from conftest import Ask

# ImageNet's numbers for what a person sees in scikit-learn's two photographs: a temple's roof, a flower.
SEEN = {"china.jpg": {442, 449, 663, 698}, "flower.jpg": {985, 738}}


@pytest.mark.parametrize("name", SEEN)
def test_the_weights_are_imagenets(name: str) -> None:
    photograph = Image.fromarray(load_sample_image(name)).resize((224, 224))
    x = torch.from_numpy(np.asarray(photograph).copy()).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        best = pretrained().eval()((x - 127) / 128).topk(3).indices[0]
    assert SEEN[name] & set(best.tolist())


@pytest.mark.parametrize("channels", [1, 3])
def test_principal_components_of_the_training_split(ask: "Ask", channels: int) -> None:
    asked = ask("efficientnet_lite0", channels=channels)
    extractor = prepare(asked)
    assert isinstance(extractor, EfficientNetExtractor)
    features = extractor.features(asked.dataset.train.data)
    assert features.shape == (80, COMPONENTS)
    covariance = np.cov(features.astype(np.float64), rowvar=False)
    variances = np.diag(covariance)
    assert np.abs(features.mean(axis=0)).max() < 1e-4 * variances[0] ** 0.5
    assert np.abs(covariance - np.diag(variances)).max() < 1e-5 * variances[0]
    assert np.all(np.diff(variances) <= 1e-5 * variances[0])
    pooled = extractor.pooled(asked.dataset.train.data)
    assert 0.9 < variances.sum() / np.cov(pooled.astype(np.float64), rowvar=False).trace() <= 1.0001


def test_is_the_same_once_saved_and_loaded(ask: "Ask", tmp_path: Path) -> None:
    asked = ask("efficientnet_lite0")
    made: Extractor = prepare(asked)
    made.save(tmp_path)
    images = asked.dataset.test.data
    loaded = load(tmp_path, torch.device("cpu"))
    assert loaded.name == "efficientnet_lite0"
    assert np.array_equal(loaded.features(images), made.features(images))
    assert loaded.classify(images) is None
