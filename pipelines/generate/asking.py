"""What images are asked for: by a label, by texts, which are data and come into no path and no line unquoted, or by a
part of the data."""

import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm.conditions import Conditioner, Given, Text
from fm.conditions.given import GIVEN
from fm.errors import UserError, shown

STDIN = "-"


@dataclass(frozen=True)
class Prompt:
    """A text, and where it was given.

    >>> Prompt("a red heart", "--prompt").text
    'a red heart'
    """

    text: str
    where: str


def prompts_in(place: str) -> list[Prompt]:
    """Those of a file, one a line, UTF-8; lines with nothing in them are passed over.

    Args:
        place: the file's path, or "-" for what comes in.

    Raises:
        UserError: it cannot be read, or has none.
    """
    try:
        content = sys.stdin.buffer.read() if place == STDIN else Path(place).read_bytes()
        lines = content.decode("utf-8-sig").split("\n")
    except OSError as error:
        raise UserError(f"--prompts: {place} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"--prompts: {place}, line {line}: must be UTF-8: {error.reason}") from None
    found = [
        Prompt(line.removesuffix("\r"), f"--prompts: {place}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not found:
        raise UserError(f"--prompts: {place} has no text: give one a line")
    return found


def given_in(conditioner: Conditioner, place: str) -> tuple[Any, ...]:
    """The data of a file, each to be completed from the part of it that is given.

    Args:
        place: of a .npy of data as they are stored (N, *stored), NaN where nothing was observed; or of an .npz with
            those as `data` and, where they cannot be NaN, with `missing`, bool of the same shape.

    Raises:
        UserError: the model completes nothing, the file cannot be read, has data of another shape, or nothing that is
            to be completed.
    """
    if not isinstance(conditioner, Given):
        raise UserError(f"--given: {place}: this model is not told a part of the data")
    data = data_in(place)
    one = ", ".join(map(str, conditioner.codec.stored))
    if data.shape[1:] != conditioner.codec.stored:
        raise UserError(f"--given: {place} has an array {data.shape}: must be (N, {one}), N data as they are stored")
    if not len(data):
        raise UserError(f"--given: {place} has no data")
    for number, datum in enumerate(data, 1):
        try:
            there = conditioner.read([datum])[GIVEN][:, -1]
        except ValueError as error:
            raise UserError(f"--given: {place}, datum {number} of {len(data)}: {error}") from None
        if conditioner.exact and there.all():
            raise UserError(
                f"--given: {place}, datum {number} of {len(data)}: nothing is missing in it: must be NaN where nothing "
                "was observed, or an .npz with an array missing, true there"
            )
    return tuple(data)


def data_in(place: str) -> NDArray[Any]:
    """An array, masked where something is said to be missing. Raises UserError: the file has none."""
    try:
        content = np.load(place, allow_pickle=False)
        arrays = {"data": content} if isinstance(content, np.ndarray) else dict(content)
    except OSError as error:
        raise UserError(f"--given: {place} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        raise UserError(f"--given: {place}: must be a .npy or .npz file of numbers, and is damaged or none") from None
    if "data" not in arrays:
        raise UserError(f"--given: {place} has no array called data, but {', '.join(arrays) or 'none at all'}")
    data, missing = arrays["data"], arrays.get("missing")
    if missing is None:
        return data
    if missing.shape != data.shape or missing.dtype != bool:
        raise UserError(
            f"--given: {place}: missing must be true or false for each number of data, {data.shape}, and is "
            f"{missing.dtype} {missing.shape}"
        )
    return np.ma.masked_array(data, mask=missing)


def asked_for(conditioner: Conditioner, label: str | None, prompts: list[Prompt]) -> tuple[str, ...]:
    """A label as it is called, or the texts; nothing for all there is in turn.

    Raises:
        UserError: the model knows no such thing.
    """
    if isinstance(conditioner, Text):
        if label is not None:
            raise UserError(f"--label {shown(label)}: this model knows no labels: ask it by --prompt")
        return tuple(text_of(conditioner, prompt) for prompt in prompts)
    if prompts:
        raise UserError(f"{prompts[0].where}: {no_text(conditioner)}")
    if label is None:
        return ()
    if isinstance(conditioner, Given):
        raise UserError(f"--label {shown(label)}: this model knows no labels: it completes the data of --given")
    try:
        return (conditioner.called(label),)
    except ValueError as error:
        raise UserError(str(error)) from None


def negative_for(conditioner: Conditioner, negative: str | None) -> str | None:
    """What guidance leads away from. Raises UserError: the model knows no text."""
    if negative is None:
        return None
    if not isinstance(conditioner, Text):
        raise UserError(f"--negative: {no_text(conditioner)}")
    return text_of(conditioner, Prompt(negative, "--negative"))


def text_of(text: Text, prompt: Prompt) -> str:
    """Raises UserError: it is too long, or no text."""
    try:
        return text.text(prompt.text)
    except ValueError as error:
        raise UserError(f"{prompt.where}: {error}") from None


def no_text(conditioner: Conditioner) -> str:
    return f"this model knows no text{': ask it by --label' if conditioner.choices else ' and no label'}"
