"""What the folders of every format have in common."""

import json
from pathlib import Path
from typing import Any

from fm.codecs import Codec
from fm.conditions import Label, Text
from fm.errors import UserError
from fm.generator import Generator
from fm.noise_sources import WHITE

PORTABLE = Path(__file__).parent / "portable"


def save(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def require_codec(generator: Generator, *known: type[Codec]) -> None:
    """Raises UserError: what it makes is nothing of these, or is of other noise than the code in a folder draws."""
    if generator.source != WHITE:
        raise UserError(f"only models of white noise can be exported, and this one's source is {generator.source.name}")
    if not isinstance(generator.codec, known):
        names = " and ".join(codec.name for codec in known)
        raise UserError(f"only {names} can be exported so, and this makes {generator.codec.name}")


def count_of_labels(generator: Generator) -> int | None:
    """How many labels the network is told of, none where it is told no label.

    Raises:
        UserError: there is more to a condition than a label.
    """
    fields = dict(generator.conditioner.fields)
    label = fields.pop("label", None)
    if fields or not (label is None or isinstance(label, Label)):
        told = ", ".join(generator.conditioner.fields)
        instead = "; --to diffusers takes texts, as their encoder has them" if "text" in fields else ""
        raise UserError(f"only labels can be exported as a condition, and this has {told}{instead}")
    return None if label is None else label.count


def texts_of(generator: Generator) -> Text | None:
    """What reads the texts that the network is told of, none where it is told no text."""
    return generator.conditioner if isinstance(generator.conditioner, Text) else None
