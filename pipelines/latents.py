"""The latents that networks are trained on: what stage `codec` has made, as other stages take it up."""

import json
from pathlib import Path

from fm.codecs import Codec, Latents
from fm.errors import UserError
from fm.generator_files import GeneratorError
from pipelines.project import CODEC

CHOICE = "codec.json"
"""Beside the autoencoder as diffusers has it: the codec's choice, with what the latents are standardised by."""


def write(codec: Latents, folder: Path) -> None:
    codec.save(folder)
    text = json.dumps(codec.choice, indent=2, sort_keys=True) + "\n"
    (folder / CHOICE).write_text(text, encoding="utf-8")


def made(folder: Path = CODEC) -> Latents:
    """Raises UserError: it is not there, or is damaged."""
    try:
        codec = Codec.of(json.loads((folder / CHOICE).read_text(encoding="utf-8"))).loaded(folder)
    except (OSError, ValueError, GeneratorError) as error:
        raise UserError(f"{folder} is missing or damaged ({error}): `dvc repro codec` makes it") from None
    if not isinstance(codec, Latents):
        raise UserError(f"{folder} has no latents: `dvc repro codec` makes it anew")
    return codec
