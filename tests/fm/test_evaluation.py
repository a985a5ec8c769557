"""How sample sets are drawn and measured, and what against."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fm.codecs import Standardised
from fm.config import SamplerConfig
from fm.evaluation import Conditions, Plan, Reference, SampleSet, cut, draw, measure, overlap
from fm.generator import Generator
from fm.images import Images
from fm.work_queue import Workers, started
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
    found = measure(draw(generator, Pixels(), FEW, conditions), real)
    for values in (found.distances, found.at_infinity, found.to_test, found.kernels, found.overlaps, found.recognised):
        assert len(values) == 3
    assert found.distance.low < np.mean(found.distances) < found.distance.high
    assert found.nfe == 4
    again = measure(draw(generator, Pixels(), FEW, conditions), real)
    assert replace(again, seconds=found.seconds) == found


def test_sets_ask_for_what_the_data_are_under(generator: Generator) -> None:
    """And each for other data: the first twenty of a permutation, by names as by numbers."""
    numbers = np.array([3] * 20 + [1] * 20)
    names = np.array(["3"] * 20 + ["1"] * 20, dtype=object)
    one, same = (draw(generator, Pixels(), FEW, Conditions(asked, numbers), [1])[0] for asked in (numbers, names))
    assert np.array_equal(one.features, same.features)
    rows = np.random.default_rng([3, 1]).permutation(40)[:20]
    assert one.recognised == (numbers[rows] == 3).mean()
    expected = generator.sample(20, 3, numbers[rows].tolist(), first_index=20)
    assert np.array_equal(one.features, Pixels().features(expected))


def test_all_there_is_is_asked_for_in_turn_where_nothing_is_given(generator: Generator) -> None:
    (one,) = draw(generator, Pixels(), FEW, numbers=[0])
    assert np.array_equal(one.features, Pixels().features(generator.sample(20, 3)))
    assert one.recognised is None


def test_what_is_no_image_is_measured_as_it_is_stored() -> None:
    generator = tiny_generator().with_sampler(SamplerConfig(solver="euler", steps=2))
    generator.codec = Standardised((1, 8, 8))
    (found,) = draw(generator, Pixels(), FEW, numbers=[0])
    assert np.array_equal(found.features, generator.sample(20, 3).reshape(20, -1)[:, :6])


class Counting(Pixels):
    """Knows how many images it was ever given at once."""

    most = 0

    def features(self, images: Images) -> np.ndarray:
        self.most = max(self.most, len(images))
        return super().features(images)


IN_CHUNKS = replace(FEW, batch_size=8)


def test_no_more_images_are_there_at_once_than_are_drawn_at_once(generator: Generator) -> None:
    counting = Counting()
    sets = draw(generator, counting, IN_CHUNKS)
    assert counting.most == 8
    assert [len(one.features) for one in sets] == [20, 20, 20]


def drawn(workers: Workers) -> list[SampleSet]:
    """Two samplers' sets, one after the other, as a stage draws them; by processes that each have one thread."""
    torch.set_num_threads(1)
    conditions = Conditions(np.arange(40) % 10, np.arange(40) % 10)
    generator = tiny_generator()
    both = (generator.adjusted(steps=steps) for steps in (2, 3))
    return [each for one in both for each in draw(one, Pixels(), IN_CHUNKS, conditions, workers=workers)]


def help_draw(workers: Workers) -> None:
    assert drawn(workers) == []


def test_several_processes_draw_the_same_images_as_one() -> None:
    threads = torch.get_num_threads()
    try:
        alone = drawn(Workers())
        with started(3, help_draw) as workers:
            shared = drawn(workers)
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(alone, shared, strict=True):
        assert one.features.tobytes() == other.features.tobytes()
        assert (one.recognised, one.nfe) == (other.recognised, other.nfe)
