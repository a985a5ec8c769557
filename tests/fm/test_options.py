from typing import Any, Literal

import pytest

from fm.options import Bounds, reader_of


def reader(annotation: Any, **bounds: Any):
    return reader_of(annotation, Bounds(**bounds), lambda other: None)


@pytest.mark.parametrize(
    ("annotation", "bounds", "said"),
    [
        (int, {"least": 1, "most": 1e6}, "a whole number from 1 to 1e+06"),
        (float, {"above": 0, "most": 20}, "a number above 0 and at most 20"),
        (float, {"least": 0, "below": 1}, "a number from 0 up and below 1"),
        (float, {}, "a number"),
        (int, {"least": 8, "most": 4096, "multiple_of": 8}, "a whole number from 8 to 4096, a multiple of 8"),
        (bool, {}, "one of true, false"),
        (str, {}, "a text"),
        (str, {"choices": ("a", "b")}, "one of a, b"),
        (Literal[1, 3], {}, "one of 1, 3"),
        (None | float | Literal["codec"], {"above": 0}, "a number above 0, or codec, or null"),
        (tuple[int, ...], {"least": 1, "most": 64}, "a list of entries, each a whole number from 1 to 64"),
        (tuple[str, ...], {"length": (1, 10)}, "a list of 1 to 10 entries, each a text"),
        (tuple[float, ...], {"length": (2, 2)}, "a list of 2 entries, each a number"),
    ],
)
def test_what_an_option_may_be_is_said(annotation: Any, bounds: dict[str, Any], said: str) -> None:
    assert str(reader(annotation, **bounds)) == said


@pytest.mark.parametrize(
    ("annotation", "bounds", "given", "read"),
    [
        (float, {}, "1e-5", 1e-5),
        (float, {"most": 1}, 1, 1),
        (int, {}, 5.0, 5),
        (int, {}, "5", 5),
        (bool, {}, False, False),
        (float | None, {}, None, None),
        (float | Literal["codec"], {}, "codec", "codec"),
        (float | Literal["codec"], {}, "2.5", 2.5),
        (tuple[int, ...], {"least": 1}, [1, "2"], (1, 2)),
        (tuple[float, ...], {}, (), ()),
    ],
)
def test_what_it_may_be_is_read(annotation: Any, bounds: dict[str, Any], given: Any, read: Any) -> None:
    found = reader(annotation, **bounds).read(given)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("annotation", "bounds", "given"),
    [
        (float, {}, float("nan")),
        (float, {}, "inf"),
        (float, {}, True),
        (float, {}, None),
        (float, {}, 10**400),
        (float, {"above": 0}, 0),
        (float, {"below": 1}, 1),
        (int, {}, 2.5),
        (int, {"multiple_of": 8}, 12),
        (bool, {}, 1),
        (Literal[1, 3], {}, True),
        (Literal[1, 3], {}, 2),
        (str, {}, 3),
        (float | None, {}, "null"),
        (tuple[int, ...], {}, "12"),
        (tuple[int, ...], {}, {1: 2}),
        (tuple[int, ...], {"most": 3}, [1, 4]),
        (tuple[int, ...], {"length": (1, 2)}, []),
    ],
)
def test_what_it_cannot_be_is_refused_in_a_line(annotation: Any, bounds: dict[str, Any], given: Any) -> None:
    with pytest.raises(ValueError, match=": must be ") as raised:
        reader(annotation, **bounds).read(given)
    assert "\n" not in str(raised.value)


def test_its_json_schema() -> None:
    assert reader(int, least=1, most=9).schema() == {"type": "integer", "minimum": 1, "maximum": 9}
    assert reader(float | None, above=0).schema() == {
        "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"enum": [None]}]
    }
    assert reader(tuple[int, ...], length=(1, 2)).schema() == {
        "type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2
    }  # fmt: skip


def test_a_type_that_no_option_has_is_told() -> None:
    with pytest.raises(TypeError, match="cannot be of type"):
        reader(dict[str, int])
