"""A file with a network's weights, read whole or by its header alone; what is wrong with it is told with its name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fm.generator_files import GeneratorError, readable

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]


def tensors(file: Path) -> "dict[str, Tensor]":
    """All of them, by name. Raises GeneratorError: they cannot be read."""
    from safetensors.torch import load_file

    with told(file):
        return load_file(file)


def shapes(file: Path) -> dict[str, Shape]:
    """Their shapes, by name, which the file's header says. Raises GeneratorError: it cannot be read."""
    from safetensors import safe_open

    with told(file), safe_open(file, framework="numpy") as opened:
        return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118


@contextmanager
def told(file: Path) -> Iterator[None]:
    """What cannot be read of it, as GeneratorError."""
    from safetensors import SafetensorError

    if file.exists() and not file.is_file():
        raise GeneratorError(f"{file} must be a file with weights, and is none")
    try:
        with readable(file.parent):
            yield
    except SafetensorError as error:
        raise GeneratorError(f"{file} is damaged: {error}") from None
