"""params.yaml from disk to what the pipeline gets."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fm.components import ANY
from pipelines import yaml_reading
from pipelines.params.defaults import filled_in
from pipelines.params.mistakes import ParamsError, explained
from pipelines.params.params import Params

FILE = Path("params.yaml")


def parse(content: Any, source: str = str(FILE)) -> Params:
    """Fill in every `null` and check the settings.

    Raises:
        ParamsError: one line a mistake: key, value and what is allowed.
    """
    try:
        return Params.model_validate(filled_in(content), context={"own": ANY})
    except ValidationError as error:
        raise explained(error, source, Params) from None


def load(path: Path = FILE) -> Params:
    """Read and check a params.yaml. Raises ParamsError, with one line a mistake."""
    return parse(read(path), str(path))


def read(path: Path) -> Any:
    """What a file of settings says, unchecked. Raises ParamsError, in one line."""
    try:
        return yaml_reading.read(path)
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing: run this from the project's root") from None
    except OSError as error:
        raise ParamsError(f"{path}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise ParamsError(f"{path}: {error}") from None


def flat(settings: Params) -> dict[str, Any]:
    """Every setting by its dotted key, the methods by their names alone: what a table of runs can show."""
    content = settings.model_dump(mode="json", by_alias=True) | {"methods": ", ".join(settings.methods)}
    return {
        f"{section}.{key}" if key else section: value
        for section, values in content.items()
        for key, value in (values.items() if isinstance(values, dict) else [("", values)])
    }
