"""Captions as tokens: those of the encoder, whichever is seen, and made once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fm.batches import Batches, Budget
from fm.captions import seen
from fm.codecs import Pixels
from fm.conditions import Text
from fm.data import embedding
from fm.data.captions import as_lines
from fm.data.embedded import TOKENS, Embedded
from fm.data.prepared import Prepared, PreparedError
from fm.data.splits import Splits
from fm.data.writing import write
from fm.encoded_data import CAPTIONS, examples_in, write_index
from fm.noise import Draws
from fm.text import Encoder, MiniLM
from fm.text.encoder import Encoded
from tests.fm.text.tiny import tiny_encoder

TRAIN = (("a red heart", "the heart"), (), ("the star",), ("a red heart",))
TEST = ((), ("the left bar", "the star"))
LENGTH = 6


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return MiniLM(length=LENGTH, place=str(tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny")))


@pytest.fixture
def dataset(tmp_path: Path) -> Prepared:
    return captioned(tmp_path / "prepared", TRAIN, TEST)


def captioned(folder: Path, train: tuple[tuple[str, ...], ...], test: tuple[tuple[str, ...], ...]) -> Prepared:
    images = [np.zeros((len(texts), 8, 8, 1), np.uint8) for texts in (train, test)]
    labels = [np.zeros(len(texts), np.int64) for texts in (train, test)]
    splits = Splits(images[0], labels[0], images[1], labels[1], (), train_texts=train, test_texts=test)
    write(folder, splits, "drawings")
    return Prepared.open(folder)


def test_what_is_seen_is_what_the_encoder_makes_of_it(dataset: Prepared, encoder: Encoder, tmp_path: Path) -> None:
    made = embedding.embed(dataset, encoder, tmp_path / "captions", tmp_path / "kept")
    assert made == embedding.Made(captions=4, tokens=made.tokens, cut=0, without=2)
    text = Text.by(encoder)
    for split, captions in (("train", TRAIN), ("test", TEST)):
        embedded = Embedded.open(tmp_path / "captions", split, LENGTH)
        assert len(embedded) == len(captions)
        for visit in range(5):
            rows = np.arange(len(captions))[::-1]
            draws = Draws(0, range(10 * visit, 10 * visit + len(rows)))
            expected = text.read(seen([as_lines(captions[row]) for row in rows], draws))
            found = text.stored(embedded.seen(rows, draws))
            assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_every_caption_is_seen(dataset: Prepared, encoder: Encoder, tmp_path: Path) -> None:
    embedding.embed(dataset, encoder, tmp_path / "captions", tmp_path / "kept")
    embedded = Embedded.open(tmp_path / "captions", "train", LENGTH)
    found = embedded.seen(np.zeros(40, np.int64), Draws(0, range(40)))["text_mask"].sum(axis=1)
    assert set(found.tolist()) == {4, 5}  # with the tokens that every text begins and ends with


class Counting(Encoder):
    """A vector of ones for each letter; knows how many texts it has read, and stops after some."""

    read = 0
    most = 10**9
    width = 2
    length = 8

    def encode(self, texts: Sequence[str], device: torch.device | str = "cpu") -> Encoded:
        if Counting.read + len(texts) > Counting.most:
            raise KeyboardInterrupt
        Counting.read += len(texts)
        there = torch.tensor([[place < max(len(text), 1) for place in range(8)] for text in texts])
        return Encoded(there[..., None].float().expand(-1, -1, 2), there, cut=sum(len(text) > 8 for text in texts))


def test_killed_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "AT_ONCE", 3)
    dataset = captioned(tmp_path / "prepared", tuple((f"number {number}",) for number in range(7)), ((),))
    monkeypatch.setattr(Counting, "most", 7)
    with pytest.raises(KeyboardInterrupt):
        embedding.embed(dataset, Counting(), tmp_path / "captions", tmp_path / "kept")
    monkeypatch.setattr(Counting, "most", 8)  # the last two more
    made = embedding.embed(dataset, Counting(), tmp_path / "captions", tmp_path / "kept")
    assert made == embedding.Made(captions=7, tokens=1 + 7 * 8, cut=0, without=1)
    again = tmp_path / "again"
    monkeypatch.setattr(Counting, "most", 10**9)
    embedding.embed(dataset, Counting(), again, tmp_path / "other")
    assert all((again / file.name).read_bytes() == file.read_bytes() for file in (tmp_path / "captions").iterdir())


def test_means_are_of_the_tokens_that_were_made_before(
    dataset: Prepared, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding.embed(dataset, encoder, tmp_path / "captions", tmp_path / "kept")
    texts, _ = embedding.numbered(dataset)
    made = encoder.encode(texts)
    with monkeypatch.context() as nothing:
        nothing.delattr(MiniLM, "encode")
        found = embedding.means(texts, encoder, tmp_path / "kept")
    expected = made.values.sum(dim=1) / made.there.sum(dim=1, keepdim=True)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)


def test_a_part_that_is_damaged_is_made_anew(dataset: Prepared, encoder: Encoder, tmp_path: Path) -> None:
    first = embedding.embed(dataset, encoder, tmp_path / "captions", tmp_path / "kept")
    (part,) = (tmp_path / "kept").iterdir()
    part.write_bytes(part.read_bytes()[:-40])
    assert embedding.embed(dataset, encoder, tmp_path / "captions", tmp_path / "kept") == first


def test_other_encoders_have_parts_of_their_own(dataset: Prepared, encoder: Encoder, tmp_path: Path) -> None:
    embedding.embed(dataset, encoder, tmp_path / "captions", tmp_path / "kept")
    made = embedding.embed(dataset, replace(encoder, length=3), tmp_path / "captions", tmp_path / "kept")  # type: ignore[type-var]
    assert (made.cut, len(list((tmp_path / "kept").iterdir()))) == (4, 2)


def test_batches_are_under_captions(dataset: Prepared, encoder: Encoder, tmp_path: Path) -> None:
    folder = tmp_path / "encoded"
    embedding.embed(dataset, encoder, folder / CAPTIONS, tmp_path / "kept")
    text = Text.by(encoder)
    write_index(folder, text)
    examples = examples_in(folder, dataset)
    assert examples.conditioner == text
    assert isinstance(examples.codec, Pixels)
    budget = Budget(images_seen=32, batch_size=16, learning_rate=1e-3, label_dropout=0.5)
    batches = Batches(examples, budget)
    batch = batches[1]
    texts = {tuple(one) for one in batch.condition["text_mask"].tolist()}
    assert len(texts) == 3  # of two tokens, of four and of five
    assert batch.condition["text"].shape == (16, LENGTH, 16)
    assert (batch.given["text_mask"].sum(dim=1) == 2).sum() > (batch.condition["text_mask"].sum(dim=1) == 2).sum()
    assert torch.equal(batches[1].condition["text"], batch.condition["text"])


def test_what_is_damaged_is_told(dataset: Prepared, encoder: Encoder, tmp_path: Path) -> None:
    folder = tmp_path / "encoded"
    with pytest.raises(PreparedError, match=r"there are no encoded data here \(encoded.json is missing\)"):
        examples_in(folder, dataset)
    embedding.embed(dataset, encoder, folder / CAPTIONS, tmp_path / "kept")
    write_index(folder, Text.by(encoder))
    other = captioned(tmp_path / "other", (*TRAIN, ()), TEST)
    with pytest.raises(PreparedError, match="was made of other data: it has captions of 4 for 5"):
        examples_in(folder, other)
    tokens = folder / CAPTIONS / TOKENS
    np.save(tokens, np.load(tokens)[1:])
    with pytest.raises(PreparedError, match="captions are damaged: sequences do not end where they should"):
        examples_in(folder, dataset)
    tokens.write_bytes(b"")
    with pytest.raises(PreparedError, match="captions are damaged"):
        examples_in(folder, dataset)


def test_texts_are_had_without_the_data(dataset: Prepared) -> None:
    assert dataset.train.captions(np.array([2, 1])).tolist() == ["the star", ""]
