"""Extractors are made and asked with images that are read from shards as they are wanted."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fm.data.rows import Stored, data_of
from fm.data.shard_cache import Folder
from fm.data.shard_files import content_of, shard_of
from fm.data.shards import Shards
from fm.images import Images
from fm.metrics.extractors import Asked, features_of, labels_of, prepare

if TYPE_CHECKING:
    from conftest import Ask


@pytest.fixture
def asked(ask: "Ask", tmp_path: Path) -> Asked:
    """For the classifier, with eighty training images in shards of eleven."""
    whole = ask("classifier", labels=("a", "b"))
    rows, made = whole.dataset.train, []
    for start in range(0, 80, 11):
        images = rows[np.arange(start, min(start + 11, 80))]["data"]
        content = content_of(images, None)
        made.append(shard_of(content, len(images)))
        (tmp_path / made[-1].file).write_bytes(content)
    train = Shards(made, Folder(tmp_path), {"label": rows.column("label")}, False, rows.stored, "uint8", window=3)
    return replace(whole, dataset=replace(whole.dataset, train=train))


def of_arrays(asked: Asked) -> Images:
    return asked.dataset.train[np.arange(80)]["data"]


def test_data_of_shards_are_those_of_arrays(asked: Asked) -> None:
    images, whole = data_of(asked.dataset.train), of_arrays(asked)
    assert isinstance(images, Stored)
    assert images.shape == whole.shape
    np.testing.assert_array_equal(images[7:40], whole[7:40])
    np.testing.assert_array_equal(images[np.array([79, 0])], whole[[79, 0]])


def test_a_classifier_learns_from_shards_and_sees_in_them_what_it_sees_in_arrays(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fm.metrics.extractors.classifier.ClassifierExtractor.least_steps", 2)
    monkeypatch.setattr("fm.metrics.extractors.extractor.TOGETHER", 30)
    extractor, again = prepare(asked), prepare(asked)
    images = data_of(asked.dataset.train)
    features = features_of(extractor, images)
    assert features.shape == (80, extractor.dimensions)
    np.testing.assert_array_equal(features, features_of(again, images))
    np.testing.assert_allclose(features, extractor.features(of_arrays(asked)), atol=1e-5)
    seen = labels_of(extractor, images)
    assert seen is not None
    assert seen.shape == (80,)
