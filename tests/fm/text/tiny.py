"""A text encoder of random weights that knows a dozen words: a folder as all-MiniLM-L6-v2's is."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from fm.text.bert import Bert, Sizes

WORDS = ("a", "the", "bar", "left", "right", "upper", "lower", "red", "blue", "heart", "star")
VOCABULARY = {word: number for number, word in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS))}
SIZES = Sizes(len(VOCABULARY), 16, 2, 2, 32, max_position_embeddings=32)


def tiny_encoder(folder: Path, seed: int = 0) -> Path:
    """The folder, filled."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_act": "gelu", **vars(SIZES)}))
    tokenizer().save(str(folder / "tokenizer.json"))
    drawn = torch.Generator().manual_seed(seed)
    weights = {
        name: torch.randn(value.shape, generator=drawn) * 0.2 + name.endswith("LayerNorm.weight")
        for name, value in Bert(SIZES).state_dict().items()
    }
    save_file(weights, folder / "model.safetensors")
    return folder


def tokenizer() -> Tokenizer:
    made = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    made.normalizer = Lowercase()
    made.pre_tokenizer = Whitespace()
    special = [(name, VOCABULARY[name]) for name in ("[CLS]", "[SEP]")]
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    return made
