from pathlib import Path

import numpy as np
import pytest

from fm.codecs import Pixels, Standardised
from fm.conditions import Labels, Unconditional
from fm.data.coded import CodedSplits
from fm.data.prepared import Prepared
from fm.data.rows import Arrays
from fm.data.writing import write
from fm.pictures import pictures


def rows(count: int, dtype: str = "float32", side: int = 6) -> Arrays:
    data = np.random.default_rng(count).uniform(0, 250, (count, 2, side, 8)).astype(dtype)
    return Arrays({"data": data, "place": np.arange(count)})


def test_what_a_dataset_gives_is_prepared_and_read_again(tmp_path: Path) -> None:
    train, test = rows(5), rows(3)
    write(tmp_path, CodedSplits(train, test, Standardised.fitted(train), Unconditional()), "wind")
    prepared = Prepared.open(tmp_path)
    prepared.verify()
    np.testing.assert_array_equal(prepared.test.column("data"), test.data)
    np.testing.assert_array_equal(prepared.train.column("place"), np.arange(5))
    assert prepared.codec.scale == pytest.approx(1, abs=1e-4)
    assert prepared.label_names == ()
    assert pictures(prepared.test[np.arange(3)]["data"], prepared.codec).shape == (3, 6 + 1 + 6, 8, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": rows(3, side=7)}, "training data have .* and test data"),
        ({"codec": Standardised(stored=(2, 6, 9))}, r"data are float32 \(2, 6, 8\), and the codec stores float32"),
        ({"codec": Pixels(stored=(2, 6, 8))}, r"data are float32 \(2, 6, 8\), and the codec stores uint8"),
        ({"conditioner": Labels(("calm", "storm"))}, "the conditioner reads label, which the data have not"),
    ],
)
def test_splits_that_make_no_sense(change: dict[str, object], message: str) -> None:
    good = {"train": rows(5), "test": rows(3), "codec": Standardised(stored=(2, 6, 8)), "conditioner": Unconditional()}
    CodedSplits(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        CodedSplits(**good | change)  # type: ignore[arg-type]
