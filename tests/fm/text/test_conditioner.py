"""Texts as a condition: read by the encoder that it was, and "no condition" known without it."""

import base64
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from fm.conditions import Conditioner, Sequence, Text, withheld
from fm.text import EncoderError, MiniLM
from tests.fm.text.tiny import tiny_encoder


@pytest.fixture
def text(tiny: Path) -> Text:
    return Text.by(MiniLM(length=6, place=str(tiny)))


def test_texts_are_read_as_the_encoder_has_them(text: Text) -> None:
    asked = ["a red heart", None, "the star", "", "a red heart"]
    condition = text.read(asked)
    made = text.encoder.encode([one or "" for one in asked])
    assert text.fields == {"text": Sequence(width=16, length=6)}
    assert torch.equal(condition["text_mask"], made.there)
    torch.testing.assert_close(condition["text"], made.values.half().float(), atol=1e-3, rtol=0)
    assert torch.equal(condition["text"][0], condition["text"][4])
    assert {name: value.dtype for name, value in condition.items()} == {"text": torch.float32, "text_mask": torch.bool}


def test_no_condition_is_the_empty_text(text: Text) -> None:
    condition = text.read(["a red heart", None, ""])
    null = text.null(condition)
    for name, value in condition.items():
        assert torch.equal(null[name][0], value[1])
        assert torch.equal(null[name], value[[1, 1, 2]])
    empty = text.encoder.encode([""])
    assert torch.equal(null["text"][:1], empty.values.half().float())
    given = withheld(condition, null, torch.tensor([True, False, False]))
    assert torch.equal(given["text"], condition["text"][[1, 1, 1]])


def test_what_lies_beside_the_data_is_what_a_prompt_is_read_as(text: Text) -> None:
    """As it is kept: float16."""
    asked = ["a red heart", "the star"]
    made = text.encoder.encode(asked)
    rows = {"text": made.values.numpy().astype(np.float16), "text_mask": made.there.numpy()}
    stored, read = text.stored(rows), text.read(asked)
    assert stored.keys() == read.keys()
    assert all(torch.equal(stored[name], read[name]) for name in read)


def test_it_is_written_down_with_what_tells_its_encoder(text: Text, tiny: Path) -> None:
    choice = text.choice
    assert isinstance(choice, dict)
    assert choice["encoder"] == {"name": "minilm", "length": 6, "place": str(tiny)}
    assert [line.split("  ")[1] for line in choice["sums"]] == ["config.json", "model.safetensors", "tokenizer.json"]
    assert Conditioner.of(choice) == text


def test_it_takes_no_encoder_to_be_trained_with(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path / "encoder")
    text = Text.by(MiniLM(length=6, place=str(folder)))
    rows = {"text": np.ones((2, 6, 16), np.float16), "text_mask": np.ones((2, 6), np.bool_)}
    shutil.rmtree(folder)
    again = Conditioner.of(text.choice)
    assert again.null(again.stored(rows))["text"].shape == (2, 6, 16)
    assert again.read(again.in_turn(2))["text_mask"].sum() == 4
    assert again.fields == text.fields
    assert again.called("the star") == "the star"
    with pytest.raises(EncoderError, match=f"^text encoder {folder}: there is no such folder"):
        again.read(["the star"])


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path / "encoder")
    choice = Text.by(MiniLM(length=6, place=str(folder))).choice
    shutil.rmtree(folder)
    tiny_encoder(folder, seed=1)
    with pytest.raises(EncoderError, match=r"^text encoder minilm is another .* the SHA-256 of model\.safetensors is"):
        Conditioner.of(choice).read(["the star"])


def test_texts_that_are_cut_are_counted(text: Text) -> None:
    with pytest.warns(UserWarning, match="^2 of 3 texts have more than 6 tokens, and are cut there$"):
        text.read(["the left bar the left bar", "a star", "the red heart the star", "the left bar the left bar"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text.read(["a red heart"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (3, "3 is asked for: must be a text"),
        ("a" * 10_001, "a text of 10,001 characters is asked for: 10,000 at most"),
        ("a \ud800", r"'a \ud800' is asked for, which is no text: surrogates not allowed"),
    ],
)
def test_what_is_no_text(text: Text, asked: object, message: str) -> None:
    for use in (lambda: text.read(["a star", asked]), lambda: text.called(asked)):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            use()


@pytest.mark.parametrize(
    ("empty", "message"),
    [
        ("no base64", "must be float16 (tokens, width) in base64"),
        (base64.b64encode(bytes(3)).decode(), "must be float16 (tokens, width) in base64"),
        (base64.b64encode(bytes(2 * 16 * 7)).decode(), "must be at most 6 tokens of finite numbers"),
        (base64.b64encode(np.full(16, np.inf, "<f2").tobytes()).decode(), "must be at most 6 tokens of finite numbers"),
    ],
)
def test_an_empty_text_that_cannot_be(text: Text, empty: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^empty.*{re.escape(message)}"):
        Text(text.encoder, 16, empty)


def test_names(text: Text) -> None:
    assert [text.called(asked) for asked in ("a star", "", None)] == ["a star", "no text", "no text"]
    assert text.choices == ()


def test_examples_are_shown_in_turn_where_nobody_asks(text: Text) -> None:
    assert text.in_turn(2, first=5) == [None, None]
    shown = Text.by(text.encoder, ("a red heart", "the star", ""))
    assert shown.in_turn(4, first=2) == ["", "a red heart", "the star", ""]
    assert Conditioner.of(shown.choice) == shown
    assert (shown.choices, shown.examples) == ((), ("a red heart", "the star", ""))
    assert (shown.fields, shown.meaning) == (text.fields, text.meaning)


def test_an_example_that_is_no_text(text: Text) -> None:
    with pytest.raises(ValueError, match=r"^examples: a text of 10,001 characters is asked for: 10,000 at most$"):
        Text.by(text.encoder, ("a star", "a" * 10_001))
