from pathlib import Path

from fm.data.prepared import Prepared
from fm.metrics.captions.attributes import attributes_of, unlearnt, words_of
from fm.metrics.captions.questions import questions
from tests.fm.metrics.captions.bars import CAPTION, bars


def test_held_out_ones_are_of_the_test_split(dataset: Prepared) -> None:
    asked = questions(dataset, attributes_of(dataset), "held out", most=1000, seed=3)
    assert sorted(asked.numbers.tolist()) == list(range(len(dataset.test)))
    words = {field: of[asked.numbers] for field, of in words_of(dataset, "test").items()}
    assert list(asked.captions) == [CAPTION.format(*one) for one in zip(words["label"], words["side"], strict=True)]
    for each in attributes_of(dataset):
        assert [each.values[number] for number in asked.labels[each.field]] == words[each.field].tolist()


def test_the_same_elsewise_is_the_same_in_another_label(dataset: Prepared) -> None:
    asked = questions(dataset, (), "held out", most=20, seed=3)
    other = {"red": "blue", "blue": "red"}
    words = words_of(dataset, "test")
    assert list(asked.elsewise) == [
        CAPTION.format(other[words["label"][number]], words["side"][number]) for number in asked.numbers
    ]


def test_seen_ones_are_of_what_classifiers_have_not_learnt(dataset: Prepared) -> None:
    asked = questions(dataset, (), "seen", most=1000, seed=3)
    assert set(asked.numbers.tolist()) == set(unlearnt(len(dataset.train)).tolist())


def test_they_are_a_function_of_the_seed(dataset: Prepared) -> None:
    one, again, other = (questions(dataset, (), "held out", 10, seed) for seed in (3, 3, 4))
    assert one.numbers.tolist() == again.numbers.tolist() != other.numbers.tolist()
    assert one.elsewise == again.elsewise
    assert len(one) == 10


def test_nothing_is_asked_of_data_without_captions(tmp_path: Path) -> None:
    assert len(questions(bars(tmp_path, of_each=5, captions=False), (), "held out", 10, seed=0)) == 0
