from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from fm.metrics.extractors import ExtractorError, load, prepare

if TYPE_CHECKING:
    from conftest import Ask


def test_needs_labels(ask: "Ask") -> None:
    with pytest.raises(ExtractorError, match=r"pictures has none: set it to efficientnet_lite0 or to inception"):
        prepare(ask("classifier"))


def test_is_the_same_once_saved_and_loaded(ask: "Ask", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fm.metrics.extractors.classifier.ClassifierExtractor.least_steps", 2)
    asked = ask("classifier", labels=("a", "b"))
    made = prepare(asked)
    made.save(tmp_path)
    loaded = load(tmp_path, torch.device("cpu"))
    images = asked.dataset.test.images
    assert np.array_equal(loaded.features(images), made.features(images))
    seen = loaded.classify(images)
    assert seen is not None
    assert set(seen) <= {0, 1}


def test_a_folder_without_an_extractor(tmp_path: Path) -> None:
    with pytest.raises(ExtractorError, match="there is no extractor here"):
        load(tmp_path, torch.device("cpu"))
