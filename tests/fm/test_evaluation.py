"""How sample sets are drawn and measured, and what against."""

from dataclasses import replace

import numpy as np
import pytest

from fm.codecs import Standardised
from fm.config import SamplerConfig
from fm.evaluation import Conditions, Plan, Reference, cut, draw, measure, overlap
from fm.generator import Generator
from tests.fm.conftest import tiny_generator

CLASSES, OF_EACH = 4, 100
PLAN = Plan(OF_EACH, CLASSES, seed=3)
FEW = Plan(20, sets=3, seed=3)


def features(seed: int) -> np.ndarray:
    """Sorted by class, and the classes far from each other."""
    classes = np.repeat(np.arange(CLASSES), OF_EACH)
    return (np.random.default_rng(seed).normal(size=(len(classes), 6)) + 8 * np.eye(6)[classes]).astype(np.float32)


class Pixels:
    """An extractor whose features are the first six pixels, and that sees label 3 in everything."""

    def features(self, images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1)[:, :6].astype(np.float32)

    def classify(self, images: np.ndarray) -> np.ndarray:
        return np.full(len(images), 3)


def test_the_floor_of_a_sorted_split_is_that_of_a_shuffled_one() -> None:
    floor = Reference.of(features(0), features(1), PLAN).floor
    shuffled = np.random.default_rng(2).permutation(features(1))
    assert floor == pytest.approx(Reference.of(features(0), shuffled, PLAN).floor, rel=0.3)
    assert floor < 2, "a set of one class would be 50 away"


def test_a_perfect_generator_lies_among_real_images_sorted_by_class() -> None:
    generated = np.random.default_rng(3).permutation(features(4))[: 2 * OF_EACH]
    precision, recall = overlap(Reference.of(features(0), features(1), PLAN).train_subset, generated)
    assert precision > 0.9
    assert recall > 0.9


def test_real_images_are_taken_by_the_seed() -> None:
    one, again, other = (Reference.of(features(0), features(1), replace(PLAN, seed=seed)) for seed in (3, 3, 7))
    assert (one.train_subset == again.train_subset).all()
    assert (one.train_subset != other.train_subset).any()
    assert one.floor == again.floor != other.floor


def test_a_test_split_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="a test split of 400 has no 401 to be measured"):
        Reference.of(features(0), features(1), replace(PLAN, count=401))


def test_sets_share_no_image() -> None:
    rows = np.arange(10, dtype=np.float32)[:, None]
    sets = cut(rows, 3, 5, np.random.default_rng(0))
    assert [len(one) for one in sets] == [3, 3, 3]
    assert len(np.unique(np.concatenate(sets))) == 9
    assert [len(one) for one in cut(rows, 3, 2, np.random.default_rng(0))] == [3, 3]


def test_each_set_has_a_value_of_everything(generator: Generator) -> None:
    conditions = Conditions(np.arange(40) % 10, np.arange(40) % 10)
    real = Reference.of(features(0), features(1), FEW)
    found = measure(generator, Pixels(), real, FEW, conditions)
    for values in (found.distances, found.at_infinity, found.to_test, found.kernels, found.overlaps, found.recognised):
        assert len(values) == 3
    assert found.distance.low < np.mean(found.distances) < found.distance.high
    assert found.nfe == 4
    again = measure(generator, Pixels(), real, FEW, conditions)
    assert replace(again, seconds=found.seconds) == found


def test_sets_ask_for_what_the_data_are_under(generator: Generator) -> None:
    """And each for other data: the first twenty of a permutation, by names as by numbers."""
    numbers = np.array([3] * 20 + [1] * 20)
    names = np.array(["3"] * 20 + ["1"] * 20, dtype=object)
    one, same = (draw(generator, Pixels(), FEW, 1, Conditions(asked, numbers)) for asked in (numbers, names))
    assert np.array_equal(one.features, same.features)
    rows = np.random.default_rng([3, 1]).permutation(40)[:20]
    assert one.recognised == (numbers[rows] == 3).mean()
    expected = generator.sample(20, 3, numbers[rows].tolist(), first_index=20)
    assert np.array_equal(one.features, Pixels().features(expected))


def test_all_there_is_is_asked_for_in_turn_where_nothing_is_given(generator: Generator) -> None:
    one = draw(generator, Pixels(), FEW, 0)
    assert np.array_equal(one.features, Pixels().features(generator.sample(20, 3)))
    assert one.recognised is None


def test_what_is_no_image_is_measured_by_its_pictures() -> None:
    generator = tiny_generator().with_sampler(SamplerConfig(solver="euler", steps=2))
    generator.codec = Standardised((1, 8, 8))
    found = measure(generator, Pixels(), Reference.of(features(0), features(1), FEW), FEW)
    assert np.isfinite(found.distances).all()
