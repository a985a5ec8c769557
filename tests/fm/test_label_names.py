import pytest

from fm.label_names import label_index

MONTHS = [f"{month:02}" for month in range(1, 13)]


@pytest.mark.parametrize(("label", "name"), [("2", "02"), ("02", "02"), ("002", "02"), ("12", "12"), ("2.0", "02")])
def test_a_number_names_what_is_called_so_by_value(label: str, name: str) -> None:
    assert MONTHS[label_index(label, MONTHS)] == name


@pytest.mark.parametrize(
    ("names", "label", "index"),
    [
        (["1", "2", "10"], "10", 2),
        (["-1", "0", "1"], "0", 1),
        (["0.5", "1.0", "1.50"], "1", 1),
        (["0.5", "1.0", "1.50"], "1.5", 2),
        (["2", "02"], "2", 0),
        (["2", "02"], "02", 1),
        (["cats", "7"], "7", 1),
        (["٢", "٣"], "2", 0),
        (["Bag", "Coat"], "1", 1),
        (["Bag", "Coat"], "coat", 1),
        (["bag", "BAG"], "BAG", 1),
    ],
)
def test_names_go_before_values_and_values_before_indices(names: list[str], label: str, index: int) -> None:
    assert label_index(label, names) == index


@pytest.mark.parametrize(
    ("names", "label", "message"),
    [
        (MONTHS, "0", r"no label '0'; the labels are 01, 02, .*, 12"),
        (["cats", "7"], "0", r"no label '0'; the labels are cats, 7"),
        (["2", "02"], "002", "label '002' could be 2 or 02"),
        (["bag", "BAG"], "Bag", "label 'Bag' could be bag or BAG"),
        (["Bag", "Coat"], "2", r"no label '2'; the labels are 0 \(Bag\), 1 \(Coat\)"),
        (["Bag", "Coat"], "-1", "no label '-1'"),
        (["Bag", "Coat"], "1.0", r"no label '1\.0'"),
        (["Bag", "Coat"], "9" * 5000, "no label '9{30,}"),
        ([], "1", "no label '1': there are none"),
    ],
)
def test_what_is_no_label_or_several_is_refused(names: list[str], label: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        label_index(label, names)
    assert len(str(raised.value)) < 300


def test_many_labels_are_not_all_listed() -> None:
    with pytest.raises(ValueError, match=r"19 \(word 19\), and 980 more$"):
        label_index("x" * 100_000, [f"word {number}" for number in range(1000)])
