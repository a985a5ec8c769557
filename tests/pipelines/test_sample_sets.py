"""What the sample sets are measured against."""

from pathlib import Path

import numpy as np
import pytest

from pipelines import params
from pipelines.params import Evaluate
from pipelines.project import FEATURES, ROOT
from pipelines.sample_sets import cut, overlap, real_reference

CLASSES, OF_EACH = 4, 100


def features(seed: int) -> np.ndarray:
    """Sorted by class, and the classes far from each other."""
    classes = np.repeat(np.arange(CLASSES), OF_EACH)
    return (np.random.default_rng(seed).normal(size=(len(classes), 6)) + 8 * np.eye(6)[classes]).astype(np.float32)


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """With the features of a folder whose files are sorted by class."""
    monkeypatch.chdir(tmp_path)
    FEATURES.mkdir(parents=True)
    np.save(FEATURES / "train.npy", features(0))
    np.save(FEATURES / "test.npy", features(1))
    return params.load(ROOT / "params.yaml").evaluate.model_copy(update={"images": OF_EACH, "sets": CLASSES})


def test_the_floor_of_a_sorted_split_is_that_of_a_shuffled_one(chosen: Evaluate) -> None:
    floor = real_reference(chosen, "own").floor
    np.save(FEATURES / "test.npy", np.random.default_rng(2).permutation(features(1)))
    assert floor == pytest.approx(real_reference(chosen, "own").floor, rel=0.3)
    assert floor < 2, "a set of one class would be 50 away"


def test_a_perfect_generator_lies_among_real_images_sorted_by_class(chosen: Evaluate) -> None:
    generated = np.random.default_rng(3).permutation(features(4))[: 2 * OF_EACH]
    precision, recall = overlap(real_reference(chosen, "own").train_subset, generated)
    assert precision > 0.9
    assert recall > 0.9


def test_real_images_are_taken_by_the_seed(chosen: Evaluate) -> None:
    one, again = real_reference(chosen, "own"), real_reference(chosen, "own")
    other = real_reference(chosen.model_copy(update={"seed": 7}), "own")
    assert (one.train_subset == again.train_subset).all()
    assert (one.train_subset != other.train_subset).any()
    assert one.floor == again.floor != other.floor


def test_sets_share_no_image() -> None:
    rows = np.arange(10, dtype=np.float32)[:, None]
    sets = cut(rows, 3, 5, np.random.default_rng(0))
    assert [len(one) for one in sets] == [3, 3, 3]
    assert len(np.unique(np.concatenate(sets))) == 9
    assert [len(one) for one in cut(rows, 3, 2, np.random.default_rng(0))] == [3, 3]
