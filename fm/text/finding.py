"""Where the files of text encoders are, and whether they are those that were meant."""

import os
from collections.abc import Iterable
from pathlib import Path

from fm.data.sums import sha256
from fm.text.encoder import EncoderError

VARIABLE = "FM_ENCODERS"
FILES = (
    "config.json",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
)
"""What an encoder is read from, by patterns of names: nothing that could run code."""


def kept() -> Path:
    """The folder that encoders are looked for in and fetched to: what the environment variable FM_ENCODERS says, or
    ~/.cache/fm/encoders."""
    return Path(os.environ.get(VARIABLE) or Path.home() / ".cache" / "fm" / "encoders")


def folder_of(place: str) -> Path:
    """The folder with an encoder's files.

    Args:
        place: a folder, also one that lies in `kept()` under the last part of its name, as it may on another machine;
            or a name on the Hugging Face hub, whose own cache then has it.

    Raises:
        EncoderError: there is none; the message says where it was looked for.
    """
    given = Path(place).expanduser()
    moved = kept() / given.name
    for folder in (given, moved):
        if folder.is_dir():
            return folder
    missing = f"text encoder {place}: there is no such folder, and no {moved} ({VARIABLE} names another place)"
    if given.is_absolute() or place.count("/") > 1 or place.startswith((".", "~")):
        raise EncoderError(missing)
    return from_hub(place, missing)


def from_hub(name: str, missing: str) -> Path:
    """What the hub has by a name, from its cache on this machine or fetched. Raises EncoderError, which begins as
    `missing` says."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise EncoderError(f"{missing}; the hub is asked by huggingface_hub, which is not installed") from None
    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except (OSError, ValueError, HfHubHTTPError) as error:
        said = " ".join(str(error).split())
        raise EncoderError(f"{missing}; the Hugging Face hub does not give it: {said}") from None


def sums_of(*folders: Path) -> tuple[str, ...]:
    """Every file that an encoder is read from, as `sha256sum` says it: "<SHA-256>  <name>", by name.

    Raises:
        EncoderError: one cannot be read.
    """
    try:
        files = {file.name: file for folder in folders for file in files_in(folder)}
        return tuple(f"{sha256(files[name])}  {name}" for name in sorted(files))
    except OSError as error:
        raise EncoderError(f"text encoder {folders[0]} cannot be read: {error}") from None


def files_in(folder: Path) -> list[Path]:
    return [file for pattern in FILES for file in folder.glob(pattern)]


def require_same(what: str, found: Iterable[str], meant: Iterable[str]) -> None:
    """That an encoder's files are those that were meant (sums_of). Raises EncoderError, with the first that is not."""
    there, wanted = ({name: sha for sha, name in (line.split("  ", 1) for line in lines)} for lines in (found, meant))
    for name in sorted(there.keys() | wanted.keys()):
        if there.get(name) != wanted.get(name):
            raise EncoderError(
                f"{what} is another than the one that the model was trained with: the SHA-256 of {name} is "
                f"{there.get(name, 'none: it is missing')}, not {wanted.get(name, 'to be there at all')}"
            )
