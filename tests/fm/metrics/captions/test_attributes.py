from pathlib import Path

import numpy as np
import torch

from fm.data.prepared import Prepared
from fm.metrics.captions.attributes import Attribute, AttributeClassifier, attributes_of, unlearnt, words_of
from fm.metrics.captions.judges import Judges
from tests.fm.metrics.captions.bars import bars


def test_labels_and_fields_of_few_words_are_attributes(dataset: Prepared) -> None:
    """What is the same for all training data is none, and neither is a field of many words."""
    assert attributes_of(dataset) == (
        Attribute("label", ("blue", "red")),
        Attribute("side", ("left", "lower", "right", "upper")),
    )


def test_words_that_few_data_share_are_none(tmp_path: Path) -> None:
    few = bars(tmp_path, of_each=20)
    assert [each.field for each in attributes_of(few)] == ["label"], "80 of each colour, and 40 of each side"


def test_it_sees_what_it_has_learnt(judges: Judges, dataset: Prepared) -> None:
    assert judges.classifier is not None
    seen, words = judges.classifier.see(dataset.test.data), words_of(dataset, "test")
    for each in judges.attributes:
        assert (seen[each.field] == each.numbers(words[each.field])).mean() > 0.9


def test_the_tenth_that_is_held_back_has_no_part_in_its_training(dataset: Prepared) -> None:
    count = len(dataset.train)
    back = unlearnt(count)
    assert len(set(back.tolist())) == count // 10
    classifier = AttributeClassifier((Attribute("label", ("blue", "red")),), SIZES, torch.device("cpu"))
    labels = np.zeros((count, 1), np.int64)
    labels[back] = -1
    loss = classifier.recognition(labels)
    logits = torch.randn(len(back), 2, requires_grad=True)
    assert loss(logits, back).item() == 0
    rest = np.setdiff1d(np.arange(count), back)[:2]
    both = np.array([*rest, back[0]])
    assert torch.equal(loss(logits[:3], both), loss(logits[:2], rest))


SIZES = {"channels": 3, "height": 8, "width": 8}


def test_is_the_same_once_saved_and_loaded(judges: Judges, dataset: Prepared, tmp_path: Path) -> None:
    judges.save(tmp_path / "judges")
    loaded = Judges.load(tmp_path / "judges", torch.device("cpu"))
    images = dataset.test.data
    for name, seen in judges.look(images).items():
        assert np.array_equal(loaded.look(images)[name], seen), name
    assert loaded.attributes == judges.attributes


def test_data_without_attributes_have_no_classifier(judges: Judges, tmp_path: Path, dataset: Prepared) -> None:
    Judges(judges.towers, None).save(tmp_path / "judges")
    loaded = Judges.load(tmp_path / "judges", torch.device("cpu"))
    assert loaded.attributes == ()
    assert list(loaded.look(dataset.test.data)) == ["place"]
