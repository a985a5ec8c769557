"""How sample sets are drawn and measured, and what against."""

from pathlib import Path

import numpy as np
import pytest

from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from pipelines import params
from pipelines.params import Evaluate
from pipelines.project import FEATURES, ROOT
from pipelines.sample_sets import cut, label_numbers, measure, overlap, real_reference
from tests.fm.conftest import tiny_generator

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
    floor = real_reference(chosen).floor
    np.save(FEATURES / "test.npy", np.random.default_rng(2).permutation(features(1)))
    assert floor == pytest.approx(real_reference(chosen).floor, rel=0.3)
    assert floor < 2, "a set of one class would be 50 away"


def test_a_perfect_generator_lies_among_real_images_sorted_by_class(chosen: Evaluate) -> None:
    generated = np.random.default_rng(3).permutation(features(4))[: 2 * OF_EACH]
    precision, recall = overlap(real_reference(chosen).train_subset, generated)
    assert precision > 0.9
    assert recall > 0.9


def test_real_images_are_taken_by_the_seed(chosen: Evaluate) -> None:
    one, again = real_reference(chosen), real_reference(chosen)
    other = real_reference(chosen.model_copy(update={"seed": 7}))
    assert (one.train_subset == again.train_subset).all()
    assert (one.train_subset != other.train_subset).any()
    assert one.floor == again.floor != other.floor


def test_sets_share_no_image() -> None:
    rows = np.arange(10, dtype=np.float32)[:, None]
    sets = cut(rows, 3, 5, np.random.default_rng(0))
    assert [len(one) for one in sets] == [3, 3, 3]
    assert len(np.unique(np.concatenate(sets))) == 9
    assert [len(one) for one in cut(rows, 3, 2, np.random.default_rng(0))] == [3, 3]


def test_a_generator_of_other_data_is_asked_by_name_for_what_it_knows(tmp_path: Path) -> None:
    images, labels = np.zeros((6, 8, 8, 1), dtype=np.uint8), np.array([0, 1, 2, 0, 1, 2])
    write(tmp_path, Splits(images, labels, images, labels, ("bag", "coat", "dress")), "clothes")
    dataset = Prepared.open(tmp_path)
    asked = {("bag", "coat", "dress"): [0, 1, 2], ("dress", "bag"): [1, 2, 0], (): [0, 0, 0]}
    for known, numbers in asked.items():
        assert label_numbers(tiny_generator(label_names=known), dataset).tolist() == numbers


def test_every_metric_that_can_decide_has_a_value_for_each_set(chosen: Evaluate, tmp_path: Path) -> None:
    images = np.random.default_rng(5).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(40) % 10
    write(tmp_path / "prepared", Splits(images, labels, images, labels, tuple("0123456789")), "digits")
    few = chosen.model_copy(update={"images": 20, "sets": 3})
    real = real_reference(few)
    row = measure(tiny_generator(), Rows(), Prepared.open(tmp_path / "prepared"), real, few)  # type: ignore[arg-type]
    assert np.mean(row.distance_test_sets) == pytest.approx(row.distance_test)
    assert np.mean(row.kid_sets) == pytest.approx(row.kid)
    assert np.mean(row.accuracy_sets) == pytest.approx(row.accuracy)
    for sets in (row.distance_sets, row.distance_test_sets, row.kid_sets, row.precision_sets, row.accuracy_sets):
        assert len(sets) == 3


class Rows:
    """An extractor whose features are the first six pixels, and that sees label 3 in everything."""

    name = "own"

    def features(self, images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1)[:, :6].astype(np.float32)

    def classify(self, images: np.ndarray) -> np.ndarray:
        return np.full(len(images), 3)
