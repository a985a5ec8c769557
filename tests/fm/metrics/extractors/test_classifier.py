from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from fm.codecs import Pixels
from fm.conditions import Labels
from fm.data.prepared import Prepared
from fm.data.rows import Arrays
from fm.data.writing import write_fields
from fm.metrics.extractors import ExtractorError, load, prepare
from fm.metrics.extractors.classifier import ClassifierExtractor
from fm.metrics.extractors.classifier_network import Classifier

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
    images = asked.dataset.test.data
    assert np.array_equal(loaded.features(images), made.features(images))
    seen = loaded.classify(images)
    assert seen is not None
    assert set(seen) <= {0, 1}


def test_features_that_are_not_finite_are_refused(ask: "Ask", tmp_path: Path) -> None:
    asked = ask("classifier", labels=("a", "b"))
    side, _, channels = asked.dataset.stored
    sizes = {"channels": channels, "image_size": side, "num_classes": 2}
    broken = Classifier(**sizes)
    torch.nn.init.constant_(next(broken.parameters()), torch.nan)
    ClassifierExtractor(broken, sizes, asked.device).save(tmp_path)
    with pytest.raises(ExtractorError, match="features are not finite"):
        load(tmp_path, asked.device).features(asked.dataset.test.data)


def test_a_folder_without_an_extractor(tmp_path: Path) -> None:
    with pytest.raises(ExtractorError, match="there is no extractor here"):
        load(tmp_path, torch.device("cpu"))


def test_a_video_is_refused_with_what_would_do(ask: "Ask", tmp_path: Path) -> None:
    clips = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 8, 1), dtype=np.uint8)
    rows = Arrays({"data": clips, "label": np.arange(20) % 2})
    write_fields(tmp_path / "clips", "clips", rows, rows, Pixels((3, 8, 8, 1)), Labels(("a", "b")))
    asked = replace(ask("classifier"), dataset=Prepared.open(tmp_path / "clips"))
    assert asked.data.shape == (20, 3, 8, 8, 1)
    for setting in ("classifier", "efficientnet_lite0"):
        with pytest.raises(
            ExtractorError, match=rf"{setting}: needs .* of clips is uint8 \(3, 8, 8, 1\): take space_t"
        ):
            prepare(replace(asked, setting=setting))
