import numpy as np
import pytest

from fm.data.rows import Arrays, Rows


def test_rows_are_taken_from_every_field() -> None:
    rows: Rows = Arrays({"data": np.arange(12).reshape(6, 2), "label": np.arange(6)})
    some = rows[np.array([5, 0])]
    assert len(rows) == 6
    np.testing.assert_array_equal(some["data"], [[10, 11], [0, 1]])
    np.testing.assert_array_equal(some["label"], [5, 0])


def test_fields_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="as many rows: data 2, label 3"):
        Arrays({"data": np.zeros((2, 1)), "label": np.zeros(3)})
    with pytest.raises(ValueError, match="no field data: label"):
        Arrays({"label": np.zeros(3)})
