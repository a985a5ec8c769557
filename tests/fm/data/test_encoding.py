"""Latents made of pictures once, cut short and gone on with, and what networks are then given."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fm.batches import Batches, Budget
from fm.codecs import Encoded, Latents
from fm.conditions import Unconditional
from fm.data import encoding
from fm.data.prepared import Prepared, PreparedError
from fm.data.rows import Arrays, Fields
from fm.data.splits import Splits
from fm.data.writing import write
from fm.encoded_data import examples_in, write_index
from fm.networks import AutoencoderKL

PICTURES = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), dtype=np.uint8)
ROWS = Arrays({"data": PICTURES})
PARTS = 4  # pictures that are encoded at once


@pytest.fixture
def codec() -> Encoded:
    torch.manual_seed(0)
    options = AutoencoderKL(in_channels=1, block_out_channels=(8, 8), norm_num_groups=4)
    return Encoded.of_latents(Latents.around(options, options.build(), stored=(8, 8, 1)).fitted(ROWS))


@pytest.fixture(autouse=True)
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fm.codecs.measuring.CHUNK", PARTS)


class Killed(Exception):
    """Stands for kill -9."""


class Cut(Arrays):
    """Rows of which some cannot be read any more."""

    def __getitem__(self, rows: np.ndarray) -> Fields:
        assert len(rows) <= PARTS
        if rows[0] >= 5 * PARTS:
            raise Killed
        return super().__getitem__(rows)


class Rest(Arrays):
    """Rows of which the first must not be read again."""

    def __getitem__(self, rows: np.ndarray) -> Fields:
        assert rows[0] >= 5 * PARTS
        return super().__getitem__(rows)


def test_cut_short_and_gone_on_with_they_are_the_same_bytes(codec: Encoded, tmp_path: Path) -> None:
    encoding.encode(ROWS, codec, tmp_path / "whole.npy", tmp_path / "work")
    np.testing.assert_allclose(np.load(tmp_path / "whole.npy"), codec.stores(PICTURES), rtol=2e-3, atol=1e-3)
    target = tmp_path / "made" / "train_data.npy"
    with pytest.raises(Killed):
        encoding.encode(Cut(ROWS.fields), codec, target, tmp_path / "work")
    assert not target.exists()
    told: list[tuple[int, int]] = []
    seconds = encoding.encode(
        Rest(ROWS.fields), codec, target, tmp_path / "work", lambda done, of: told.append((done, of))
    )
    assert (told[0], told[-1]) == ((24, 50), (50, 50))
    assert seconds > 0
    assert target.read_bytes() == (tmp_path / "whole.npy").read_bytes()


def prepared(place: Path) -> Prepared:
    labels = np.arange(50) % 2
    texts = tuple((f"number {number}",) for number in range(50))
    splits = Splits(PICTURES, labels, PICTURES[:7], labels[:7], ("a", "b"), train_texts=texts, test_texts=texts[:7])
    write(place, splits, "drawings")
    return Prepared.open(place)


def encoded(dataset: Prepared, codec: Encoded, folder: Path) -> None:
    for split, rows in (("train", dataset.train), ("test", dataset.test)):
        encoding.encode(rows, codec, folder / f"{split}_data.npy", folder.parent / "work")
    write_index(folder, dataset.conditioner, codec)


def test_networks_are_given_them_with_what_lies_beside_the_pictures(codec: Encoded, tmp_path: Path) -> None:
    dataset = prepared(tmp_path / "prepared")
    encoded(dataset, codec, tmp_path / "encoded")
    examples = examples_in(tmp_path / "encoded", dataset)
    assert examples.codec == codec
    row = examples.rows[np.array([3])]
    assert set(row) == {"data", "label"}
    batch = Batches(examples, Budget(images_seen=64, batch_size=8, learning_rate=1e-3))[0]
    assert batch.data.shape == (8, *codec.shape)
    torch.testing.assert_close(
        examples.codec.encode(row["data"]), codec.own.encode(PICTURES[3:4]), rtol=1e-2, atol=1e-2
    )
    given_back = examples.codec.of_samples.decode(codec.own.encode(PICTURES[:3]))
    np.testing.assert_array_equal(given_back, codec.own.decode(codec.own.encode(PICTURES[:3])))
    assert len(examples_in(tmp_path / "encoded", dataset, "test").rows) == 7


def test_what_was_made_of_other_data_or_is_damaged_is_told(codec: Encoded, tmp_path: Path) -> None:
    dataset, folder = prepared(tmp_path / "prepared"), tmp_path / "encoded"
    encoded(dataset, codec, folder)
    np.save(folder / "test_data.npy", np.load(folder / "train_data.npy"))
    with pytest.raises(PreparedError, match=r"test_data\.npy was made of other data"):
        examples_in(folder, dataset, "test")
    with (folder / "train_data.npy").open("r+b") as file:
        file.truncate(300)
    with pytest.raises(PreparedError, match=r"train_data\.npy is missing or damaged|train_data\.npy was made"):
        examples_in(folder, dataset)
    (folder / "train_data.npy").unlink()
    with pytest.raises(PreparedError, match=r"train_data\.npy is missing or damaged"):
        examples_in(folder, dataset)


def test_the_condition_is_the_one_that_was_asked_for(codec: Encoded, tmp_path: Path) -> None:
    dataset = prepared(tmp_path / "prepared")
    encoded(dataset, codec, tmp_path / "encoded")
    write_index(tmp_path / "encoded", Unconditional(), codec)
    assert examples_in(tmp_path / "encoded", dataset).conditioner == Unconditional()
