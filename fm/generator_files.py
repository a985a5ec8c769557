"""A generator's folder as it is known without PyTorch: config.json beside model.safetensors, which has the weights."""

import shutil
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from fm.codecs import BESIDE
from fm.config import Config, SamplerConfig
from fm.errors import UserError, shown

CONFIG, WEIGHTS = "config.json", "model.safetensors"
WEAK = "weak.safetensors"
"""The weights of the weaker network that the sampler leads away from, where it does."""


NOTHING: Mapping[int, Path] = MappingProxyType({})


class GeneratorError(UserError):
    """A generator folder that cannot be used; the message says which and why."""


def read_config(folder: Path, own: Container[str] = ()) -> Config:
    """What a generator is made of. Raises GeneratorError.

    Args:
        own: what is not the library's and may be imported for it (fm.components).
    """
    with readable(folder):
        content = (folder / CONFIG).read_bytes()
    try:
        return Config.model_validate_json(content, context={"own": own})
    except ValidationError as error:
        raise GeneratorError(f"{folder / CONFIG} is damaged or of a newer version: {in_a_line(error)}") from None


def write_config(folder: Path, config: Config) -> None:
    (folder / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")


def copy(folder: Path, target: Path, sampler: SamplerConfig, weaker: Mapping[int, Path] = NOTHING) -> None:
    """Write a generator with another sampler: the bytes that Generator.save would write of it.

    Args:
        weaker: the folders of the networks that samplers may lead away from, by their number.

    Raises:
        GeneratorError: a folder is no generator's, or it takes one that there is not. Whether weights are any good,
            nobody looks.
    """
    config = read_config(folder).model_copy(update={"sampler": sampler})
    if sampler.snapshot is not None and sampler.snapshot not in weaker:
        raise GeneratorError(f"{target} is not written: {without_weaker(sampler)}")
    target.mkdir(parents=True, exist_ok=True)
    with readable(folder):
        shutil.copyfile(folder / WEIGHTS, target / WEIGHTS)
        if codec_of(folder).is_dir():
            shutil.copytree(codec_of(folder), target / BESIDE, dirs_exist_ok=True)
    if sampler.snapshot is not None:
        with readable(weaker[sampler.snapshot]):
            shutil.copyfile(weaker[sampler.snapshot] / WEIGHTS, target / WEAK)
    write_config(target, config)


def codec_of(folder: Path) -> Path:
    """Where a generator's codec has its weights: in the folder, or in the one above, once for all that lie there."""
    own, shared = folder / BESIDE, folder.parent / BESIDE
    return shared if shared.is_dir() and not own.is_dir() else own


def share_codec(folder: Path) -> None:
    """Move the codec out of a generator's folder into the one above (codec_of), unless another has brought the same."""
    own, shared = folder / BESIDE, folder.parent / BESIDE
    if own.is_dir() and shared.is_dir():
        shutil.rmtree(own)
    elif own.is_dir():
        own.replace(shared)


def without_weaker(sampler: SamplerConfig) -> str:
    """What to say where a weaker network is asked for and is not there."""
    return f"{sampler.label}: guidance leads away from snapshot {sampler.snapshot}, whose network is not there"


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """What cannot be read of a generator's folder, as GeneratorError."""
    try:
        yield
    except FileNotFoundError as error:
        raise GeneratorError(f"{folder} is no generator: {error.filename or error} is missing") from None
    except OSError as error:
        raise GeneratorError(f"{folder} cannot be read: {error}") from None


def in_a_line(error: ValidationError) -> str:
    """Every mistake by its key, and its value where that is one word or number.

    >>> from pydantic import TypeAdapter
    >>> try:
    ...     TypeAdapter(dict[str, int]).validate_python({"steps": "few"})
    ... except ValidationError as error:
    ...     print(in_a_line(error).split(",")[0])
    steps = 'few': Input should be a valid integer
    """
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))}{value_of(one['input'])}: {one['msg']}" if one["loc"] else one["msg"]
        for one in error.errors()
    )


def value_of(given: object) -> str:
    return f" = {shown(given)}" if isinstance(given, str | int | float) else ""
