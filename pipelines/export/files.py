"""What the folders of every format have in common."""

import json
from pathlib import Path
from typing import Any

from fm.codecs import Pixels
from fm.conditions import Label
from fm.errors import UserError
from fm.generator import Generator

PORTABLE = Path(__file__).parent / "portable"


def save(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def require_pixels(generator: Generator) -> None:
    """Raises UserError: what it makes is something else."""
    if not isinstance(generator.codec, Pixels):
        raise UserError(f"only pixels can be exported, and this makes {generator.codec.name}")


def count_of_labels(generator: Generator) -> int | None:
    """How many labels the network is told of, none where it is told no label.

    Raises:
        UserError: there is more to a condition than a label.
    """
    fields = dict(generator.conditioner.fields)
    label = fields.pop("label", None)
    if fields or not (label is None or isinstance(label, Label)):
        told = ", ".join(generator.conditioner.fields)
        raise UserError(f"only labels can be exported as a condition, and this has {told}")
    return None if label is None else label.count
