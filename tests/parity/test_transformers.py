"""Held against transformers 5.24: text encoders on folders that it has written, of the classes and by the tokenizers
that published ones have, with random weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from fm.metrics.captions.clip_score import CLIPJudge
from fm.text import CLIP, T5, Encoder, EncoderError, MiniLM
from tests.parity.agreement import Mismatch, same

TEXTS = ["a red heart", "", "the blue star, the red star and a heart " * 3, "Naïve ☂", "a"]
LENGTH = 12
WORDS = ("a", "red", "heart", "the", "blue", "star", "and")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def bert() -> tuple[Any, Any]:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS, *(f"##{one}" for one in LETTERS)]
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(vocabulary)})
    return BertModel(BertConfig(vocab_size=len(vocabulary), **SMALL, max_position_embeddings=LENGTH)), tokenizer


def clip_tokenizer() -> Any:
    alphabet = sorted(ByteLevel.alphabet())
    merged = ["re", "red</w>", "st", "ar</w>", "star</w>"]
    names = [*alphabet, *(one + "</w>" for one in alphabet), *merged, "<|startoftext|>", "<|endoftext|>"]
    merges = [("r", "e"), ("re", "d</w>"), ("s", "t"), ("a", "r</w>"), ("st", "ar</w>")]
    return CLIPTokenizer(vocab={name: number for number, name in enumerate(names)}, merges=merges)


def clip_config(tokenizer: Any) -> Any:
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 0}
    return CLIPTextConfig(vocab_size=len(tokenizer), **SMALL, max_position_embeddings=LENGTH, **ends)


def clip() -> tuple[Any, Any]:
    tokenizer = clip_tokenizer()
    return CLIPTextModel(clip_config(tokenizer)), tokenizer


def whole_clip() -> tuple[Any, Any]:
    """As the hub has them: with a model of pictures."""
    tokenizer = clip_tokenizer()
    pictures = {**SMALL, "image_size": 8, "patch_size": 4}
    config = CLIPConfig(text_config=clip_config(tokenizer).to_dict(), vision_config=pictures, projection_dim=8)
    return CLIPModel(config), tokenizer


def t5_tokenizer() -> Any:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(f"▁{word}", -3.0) for word in WORDS] + [(letter, -5.0) for letter in LETTERS]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def t5_config(tokenizer: Any) -> Any:
    return T5Config(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)


def t5() -> tuple[Any, Any]:
    tokenizer = t5_tokenizer()
    return T5EncoderModel(t5_config(tokenizer)), tokenizer


def whole_t5() -> tuple[Any, Any]:
    """As the hub has them: with a decoder."""
    tokenizer = t5_tokenizer()
    return T5ForConditionalGeneration(t5_config(tokenizer)), tokenizer


MAKERS: dict[str, tuple[Callable[[], tuple[Any, Any]], type[Encoder]]] = {
    "bert": (bert, MiniLM),
    "clip": (clip, CLIP),
    "whole_clip": (whole_clip, CLIP),
    "t5": (t5, T5),
    "whole_t5": (whole_t5, T5),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of each, as transformers saves it."""
    root = tmp_path_factory.mktemp("encoders")
    for name, (make, _) in MAKERS.items():
        torch.manual_seed(0)
        model, tokenizer = make()
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight) * 0.1)  # of norms and biases too
        model.save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    return {name: root / name for name in MAKERS}


def encoder_of(name: str, folders: dict[str, Path], **options: Any) -> Any:
    kind: Any = MAKERS[name][1]
    return kind(place=str(folders[name]), **({"length": LENGTH} | options))


def by_transformers(name: str, folder: Path, texts: list[str], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    model: Any = {"bert": BertModel, "clip": CLIPTextModel, "t5": T5EncoderModel}[name.removeprefix("whole_")]
    words: Any = {"bert": BertTokenizer, "clip": CLIPTokenizer, "t5": T5Tokenizer}[name.removeprefix("whole_")]
    asked = words.from_pretrained(folder)(
        texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
    )
    with torch.no_grad():
        made = model.from_pretrained(folder).eval()(
            input_ids=asked["input_ids"], attention_mask=asked["attention_mask"]
        )
    there = asked["attention_mask"].bool()
    return made.last_hidden_state.masked_fill(~there[:, :, None], 0.0), there


@pytest.mark.parametrize("length", [LENGTH, 5])
@pytest.mark.parametrize("name", MAKERS)
def test_texts_are_encoded_as_there(name: str, length: int, folders: dict[str, Path]) -> None:
    encoder = encoder_of(name, folders, length=length)
    made = encoder.encode(TEXTS)
    values, there = by_transformers(name, folders[name], TEXTS, length)
    assert encoder.width == values.shape[2]
    assert torch.equal(made.there, there)
    same(made.values, values, 2e-6)
    alone = torch.cat([encoder.encode([text]).values for text in TEXTS])
    same(alone, values, 2e-6)
    with pytest.raises(Mismatch):
        same(made.values * 1.01, values, 2e-6)


@pytest.mark.parametrize("name", MAKERS)
def test_how_many_are_cut(name: str, folders: dict[str, Path]) -> None:
    length = 5
    tokenizer: Any = MAKERS[name][0]()[1]
    longer = [len(tokenizer(text)["input_ids"]) > length for text in TEXTS]
    assert encoder_of(name, folders, length=length).encode(TEXTS).cut == sum(longer) > 0


def test_a_pipelines_tokenizer_is_beside_its_encoder(folders: dict[str, Path], tmp_path: Path) -> None:
    for source, folder in (("clip", "text_encoder_2"), ("clip", "tokenizer_2")):
        shutil.copytree(folders[source], tmp_path / folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "text_encoder_2" / name).unlink()
    encoder = CLIP(str(tmp_path / "text_encoder_2"), length=LENGTH)
    assert torch.equal(encoder.encode(TEXTS).values, encoder_of("clip", folders).encode(TEXTS).values)
    assert encoder.sums == encoder_of("clip", folders).sums


def changed(folder: Path, tmp_path: Path, **settings: Any) -> Path:
    """A copy with another config.json."""
    copy = Path(shutil.copytree(folder, tmp_path / "changed"))
    content = json.loads((copy / "config.json").read_text()) | settings
    (copy / "config.json").write_text(json.dumps(content))
    return copy


def test_another_kind_of_model(folders: dict[str, Path]) -> None:
    with pytest.raises(EncoderError, match=r"config\.json: model_type = 't5': must be clip or clip_text_model"):
        CLIP(str(folders["t5"])).encode(["a"])
    with pytest.raises(EncoderError, match=r"config\.json: model_type = 'clip_text_model': must be t5"):
        _ = T5(str(folders["clip"])).width


def test_a_model_whose_weights_are_not_all_there(folders: dict[str, Path], tmp_path: Path) -> None:
    """Which transformers would draw at random."""
    deeper = changed(folders["t5"], tmp_path, num_layers=3)
    with pytest.raises(EncoderError, match=r"has not all weights of a T5EncoderModel: encoder\.block\.2\..* missing"):
        T5(str(deeper)).encode(["a"])


def test_no_pickle_is_read(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["t5"], tmp_path / "pickled"))
    torch.save(T5EncoderModel.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"has no model\.safetensors: a pickle could run any code"):
        T5(str(folder)).encode(["a"])
    assert not [line for line in T5(str(folder)).sums if line.endswith(".bin")]


def test_no_code_of_the_folder_is_run(folders: dict[str, Path], tmp_path: Path) -> None:
    auto_map = {"AutoModel": "mine.Mine", "AutoConfig": "mine.Mine", "AutoTokenizer": ["mine.Mine", "mine.Mine"]}
    folder = changed(folders["clip"], tmp_path, auto_map=auto_map)
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    about = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(about | {"auto_map": auto_map}))
    CLIP(str(folder), length=LENGTH).encode(["a"])
    assert not (tmp_path / "ran").exists()


def test_a_folder_without_a_tokenizer(folders: dict[str, Path], tmp_path: Path) -> None:
    """Which transformers would make up."""
    folder = Path(shutil.copytree(folders["clip"], tmp_path / "mute"))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match=r"has no tokenizer: none of tokenizer\.json, vocab\.json, spiece\.model"):
        CLIP(str(folder), length=LENGTH).encode(["a"])


def test_longer_texts_than_it_knows(folders: dict[str, Path]) -> None:
    with pytest.raises(EncoderError, match="text encoder clip: length = 77: it knows texts of 12 tokens at most"):
        CLIP(str(folders["clip"])).encode(["a"])


def test_weights_of_other_shapes(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = changed(folders["t5"], tmp_path, d_ff=48)
    with pytest.raises(EncoderError, match="cannot be loaded"):
        T5(str(folder)).encode(["a"])


def test_what_the_hub_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(EncoderError, match=r"^text encoder nobody/nothing: .*; the Hugging Face hub does not give it"):
        CLIP("nobody/nothing").encode(["a"])


def test_a_whole_clip_finds_pictures_and_captions_as_near(folders: dict[str, Path]) -> None:
    """By transformers' own processor of pictures and the cosines of its own forward."""
    pictures = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    sizes = {"size": {"height": 8, "width": 8}, "do_center_crop": False, "image_mean": [0.5, 0.4, 0.3]}
    processor = CLIPImageProcessor(**sizes)
    processor.save_pretrained(folders["whole_clip"])
    tokenizer = CLIPTokenizer.from_pretrained(folders["whole_clip"])
    asked = tokenizer(TEXTS, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
    model = CLIPModel.from_pretrained(folders["whole_clip"]).eval()
    with torch.no_grad():
        made = model(**asked, **processor(images=list(pictures), return_tensors="pt"))
        expected = (made.logits_per_image / model.logit_scale.exp()).numpy()

    judge = CLIPJudge.of(folders["whole_clip"], torch.device("cpu"))
    np.testing.assert_allclose(judge.look(pictures) @ judge.read(TEXTS).T, expected, atol=2e-3)
    grey = judge.look(pictures[..., :1])
    np.testing.assert_allclose(grey, judge.look(np.repeat(pictures[..., :1], 3, axis=3)), atol=1e-6)
    with pytest.raises(EncoderError, match=r"model_type = 't5': must be clip"):
        CLIPJudge.of(folders["t5"], torch.device("cpu"))
    with pytest.raises(EncoderError, match="nowhere: must be a folder with a CLIPModel"):
        CLIPJudge.of(Path("nowhere"), torch.device("cpu"))
