"""Text encoders of transformers, from a folder or from the Hugging Face hub: safetensors alone, no pickle, no code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from fm.components import option
from fm.errors import shown
from fm.text.encoder import Encoded, Encoder, EncoderError, require_length
from fm.text.finding import folder_of, sums_of

if TYPE_CHECKING:
    import torch

VOCABULARIES = ("tokenizer.json", "vocab.json", "spiece.model")


class Family(NamedTuple):
    """What transformers has for a kind of folder.

    Attributes:
        model, tokenizer: its classes there.
        kinds: what config.json may say that it is.

    >>> Family("T5EncoderModel", "T5Tokenizer", ("t5",)).kinds
    ('t5',)
    """

    model: str
    tokenizer: str
    kinds: tuple[str, ...]


class FromTransformers(Encoder):
    """A model of transformers that makes of tokens its `last_hidden_state`.

    >>> CLIP.family.model, T5.family.kinds
    ('CLIPTextModel', ('t5',))
    """

    packages = ("transformers", "tokenizers")
    family: ClassVar[Family]
    place: str = option(says="a folder, or a name on the Hugging Face hub")

    @property
    def width(self) -> int:
        return int(configured(self.family, folder_of(self.place)).hidden_size)

    @property
    def sums(self) -> tuple[str, ...]:
        folder = folder_of(self.place)
        return sums_of(folder, tokenizer_folder(folder))

    def encode(self, texts: Sequence[str], device: torch.device | str = "cpu") -> Encoded:
        from fm.text.tokens import encoded  # which needs PyTorch

        tokenizer, network = loaded(self.family, folder_of(self.place))
        require_length(self.name, self.length, getattr(network.config, "max_position_embeddings", self.length))
        network.to(device)
        return encoded(
            texts,
            tokenizer,
            lambda tokens, there: network(input_ids=tokens, attention_mask=there.long()).last_hidden_state,
            network.config.hidden_size,
            self.length,
            device,
        )


class CLIP(
    FromTransformers,
    name="clip",
    title="CLIP",
    says="the text model of a CLIP, by transformers",
    source="Radford et al. 2021, arXiv 2103.00020",
):
    """After its last norm; a token knows of those before it. What stands behind a text's end is masked, where Stable
    Diffusion shows it to its network.

    >>> CLIP("openai/clip-vit-large-patch14").length
    77
    """

    family = Family("CLIPTextModel", "CLIPTokenizer", ("clip", "clip_text_model"))
    length: int = option(77, least=2, most=4096, says="of a text in tokens, at most; what is longer is cut")


class T5(
    FromTransformers,
    name="t5",
    title="T5",
    says="the encoder of a T5, by transformers",
    source="Raffel et al. 2019, arXiv 1910.10683",
):
    """After its last norm; every token knows of all others.

    >>> T5("google/flan-t5-base").length
    128
    """

    family = Family("T5EncoderModel", "T5Tokenizer", ("t5",))
    length: int = option(128, least=2, most=4096, says="of a text in tokens, at most; what is longer is cut")


@lru_cache(maxsize=2)
def loaded(family: Family, folder: Path) -> tuple[Any, Any]:
    """Tokenizer (of the library tokenizers) and network of a folder. Raises EncoderError."""
    import torch
    from safetensors import SafetensorError

    transformers = library()
    configured(family, folder)
    words = tokenizer_folder(folder)
    if not list(folder.glob("model*.safetensors")):
        raise EncoderError(
            f"text encoder {folder} has no model.safetensors: a pickle could run any code; save it once more by "
            "transformers with save_pretrained"
        )
    if not any((words / name).is_file() for name in VOCABULARIES):
        raise EncoderError(f"text encoder {words} has no tokenizer: none of {', '.join(VOCABULARIES)} is there")
    try:
        with silenced(transformers):
            tokenizer = getattr(transformers, family.tokenizer).from_pretrained(words, local_files_only=True)
            network, found = getattr(transformers, family.model).from_pretrained(
                folder, use_safetensors=True, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, ImportError, SafetensorError) as error:
        raise EncoderError(f"text encoder {folder} cannot be loaded: {error}") from None
    if lacking := sorted(found["missing_keys"]):  # which transformers would draw at random
        raise EncoderError(f"text encoder {folder} has not all weights of a {family.model}: {lacking[0]} is missing")
    return tokenizer.backend_tokenizer, network.eval().requires_grad_(False)


def configured(family: Family, folder: Path) -> Any:
    """The configuration of its text model. Raises EncoderError: it is another kind's, or cannot be read."""
    transformers, file = library(), folder / "config.json"
    try:
        kind = json.loads(file.read_bytes()).get("model_type")
        if kind not in family.kinds:
            raise EncoderError(f"{file}: model_type = {shown(kind)}: must be {' or '.join(family.kinds)}")
        with silenced(transformers):
            return getattr(transformers, family.model).config_class.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise EncoderError(f"{file} cannot be read: {error}") from None


def tokenizer_folder(folder: Path) -> Path:
    """Where its tokenizer is: beside the weights, but in a pipeline of diffusers, which has text_encoder_2/ beside
    tokenizer_2/."""
    beside = folder.with_name(folder.name.replace("text_encoder", "tokenizer"))
    return beside if folder.name.startswith("text_encoder") and beside.is_dir() else folder


def library() -> Any:
    """Raises EncoderError where it is not installed."""
    try:
        import transformers
    except ImportError:
        raise EncoderError("text encoders clip, t5: transformers is not installed: the extra `text` has it") from None
    return transformers


@contextmanager
def silenced(transformers: Any) -> Iterator[None]:
    """Without progress bars, and without a list of the weights that are not asked for: whole CLIPs have them."""
    logging = transformers.utils.logging
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
