import re
from collections import abc
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fm.conditions import Condition, Conditioner, Label, Labels, Map, Sequence, Spec, Unconditional, Vector, withheld


def test_labels_are_read_by_name_number_or_not_at_all() -> None:
    labels = Labels(("cat", "dog"))
    assert labels.read(["Dog", 0, "1", None, 2])["label"].tolist() == [1, 0, 1, 2, 2]
    assert labels.read([np.int64(1)])["label"].dtype == torch.int64
    assert labels.fields == {"label": Label(2)}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("mouse", "no label 'mouse'; the labels are 0 (cat), 1 (dog)"),
        (3, "no label 3: labels go from 0 to 1, and 2 is none"),
        (-1, "no label -1: labels go from 0 to 1, and 2 is none"),
    ],
)
def test_a_label_that_there_is_not_is_refused(asked: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Labels(("cat", "dog")).read([asked])


def test_labels_in_turn_begin_where_the_data_do() -> None:
    assert Labels(("a", "b", "c")).in_turn(4, first=2) == [2, 0, 1, 2]
    assert Labels().in_turn(2) == [0, 0]
    assert Unconditional().in_turn(2) == [None, None]


def test_a_conditioner_is_chosen_with_its_labels() -> None:
    assert Conditioner.of("none") == Unconditional()
    labels = Labels(("cat", "dog"))
    assert labels.choice == {"name": "labels", "names": ["cat", "dog"]}
    assert Conditioner.of(labels.choice) == labels
    with pytest.raises(ValueError, match="no two label names may be alike"):
        Labels(("cat", "cat"))


def test_no_condition_is_withheld_from_some() -> None:
    labels = Labels(("a", "b"))
    condition = labels.read(["a", "b", "b"])
    given = withheld(condition, labels.null(condition), torch.tensor([True, False, True]))
    assert given["label"].tolist() == [2, 1, 2]
    assert condition["label"].tolist() == [0, 1, 1]


def test_without_conditions_there_is_nothing_to_withhold() -> None:
    nothing = Unconditional()
    condition = nothing.read([None, None])
    assert withheld(condition, nothing.null(condition), torch.tensor([True, False])) == {}
    assert nothing.stored({"data": np.zeros((2, 4)), "label": np.zeros(2)}) == {}
    with pytest.raises(ValueError, match="'cat' is asked for, but this model knows no condition"):
        nothing.read(["cat"])


class Everything(Conditioner):
    """One of each kind of field; zeros are "no condition"."""

    @property
    def fields(self) -> dict[str, Spec]:
        return {"label": Label(3), "time_of_year": Vector(2), "text": Sequence(4, 5), "coarse": Map(1)}

    def read(self, asked: abc.Sequence[Any]) -> Condition:
        raise NotImplementedError

    def null(self, like: Condition) -> Condition:
        return {name: torch.zeros_like(value) for name, value in like.items()}


def test_what_lies_beside_the_data_is_their_condition() -> None:
    rows: dict[str, NDArray[Any]] = {
        "data": np.zeros((2, 8, 8, 1), np.uint8),
        "label": np.array([1, 2], np.int32),
        "time_of_year": np.ones((2, 2)),
        "text": np.ones((2, 5, 4), np.float16),
        "text_mask": np.array([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0]], np.uint8),
        "coarse": np.ones((2, 1, 8, 8), np.float32),
    }
    everything = Everything()
    condition = everything.stored(rows)
    kinds = {name: value.dtype for name, value in condition.items()}
    assert kinds["label"] == torch.int64
    assert kinds["text_mask"] == torch.bool
    assert {kinds[name] for name in ("time_of_year", "text", "coarse")} == {torch.float32}
    given = withheld(condition, everything.null(condition), torch.tensor([False, True]))
    for name, value in given.items():
        assert torch.equal(value[0], condition[name][0])
        assert not value[1].any()


def test_what_can_be_asked_for_in_several_ways_has_one_name() -> None:
    labels = Labels(("T-shirt", "Bag"))
    assert [labels.called(asked) for asked in ("bag", 1, "Bag", None)] == ["Bag", "Bag", "Bag", "no label"]
    assert (labels.choices, Unconditional().choices) == (("T-shirt", "Bag"), ())
    with pytest.raises(ValueError, match="no label 'Hat'"):
        labels.called("Hat")


def test_both_are_chosen_by_name() -> None:
    assert Conditioner.of({"name": "labels", "names": ["a", "b"]}) == Labels(("a", "b"))
    assert Conditioner.of("none").in_turn(2) == [None, None]
