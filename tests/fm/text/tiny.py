"""A text encoder of random weights that knows a dozen words, a folder as all-MiniLM-L6-v2's is; and a generator that is
asked by it."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from fm.conditions import Text
from fm.config import Config
from fm.generator import Generator
from fm.text import MiniLM
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


def text_generator(encoder: Path, examples: tuple[str, ...] = (), seed: int = 0) -> Generator:
    """A small network of random weights, none of them zero, under texts that the encoder of a folder reads."""
    config = Config(
        path="cond_ot",
        target="velocity",
        network={"name": "transformer", "width": 16, "blocks": 1, "heads": 2},
        sampler={"solver": "euler", "steps": 2, "guidance": 2.0},
        codec={"name": "pixels", "stored": [8, 8, 1]},
        conditioner=Text.by(MiniLM(length=6, place=str(encoder)), examples).choice,
    )
    torch.manual_seed(seed)  # after the encoder, which is made but once
    generator = Generator.untrained(config)
    for weight in generator.network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    generator.network.eval()
    return generator


HOSTILE = (
    "a red heart\n<script>alert(1)</script>",
    "../../star",
    "$(touch here) `touch here` ; touch here",
    "the star\0a bar",
    "a \u202ered\x1b[2J heart",
    "❤️‍🔥 a heart",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }} %s %(x)s {0}",
)
"""Texts that are data, whatever they look like."""
