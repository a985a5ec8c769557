"""Settings given with a run, written into params.yaml before it starts."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from pipelines import params
from pipelines.project import ROOT, whole_file


def override(path: Path, overrides: Mapping[str, Any]) -> None:
    """Change the settings named by dotted keys in a params.yaml, its comments kept.

    Raises:
        params.ParamsError: nothing has been written then.
    """
    params.load(path)  # what is wrong already is not the overrides' fault
    text = merged(path.read_text(), overrides)
    params.parse(yaml.safe_load(text), "overrides")
    if overrides:
        with whole_file(path) as partial:
            partial.write_text(text)


def merged(text: str, overrides: Mapping[str, Any]) -> str:
    writer = YAML()
    writer.preserve_quotes = True
    writer.width = 1000  # or it folds the lines we wrote
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.representer.add_representer(type(None), represent_null)
    content = writer.load(text)
    for key, value in overrides.items():
        put(content, key, from_file(key, value))
    changed = io.StringIO()
    writer.dump(content, changed)
    return changed.getvalue()


def from_file(key: str, value: Any) -> Any:
    """The content of the YAML file that a value like `@methods/edm.yaml` names, relative to the project's root."""
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    try:
        return yaml.safe_load((ROOT / value[1:]).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise params.ParamsError(f"overrides: {key}: can't read {value[1:]}: {error}") from None


def from_arguments(arguments: Sequence[str]) -> dict[str, Any]:
    """Overrides as a command line gives them, `key=value` each, the values in YAML."""
    overrides = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not key or not equals:
            raise params.ParamsError(f"{argument!r}: must be key=value, for example train.images_seen=50000")
        overrides[key] = value if value.startswith("@") else yaml.safe_load(value)
    return overrides


def put(content: Any, key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise params.ParamsError(f"overrides: {key}: {section} has no settings of its own")
    content[name] = value


def represent_null(representer: Any, _: None) -> Any:
    """ruamel.yaml would write nothing at all."""
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
