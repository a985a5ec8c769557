"""Settings given with a run, written into params.yaml before it starts."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from pipelines import params
from pipelines.project import ROOT, whole_file


def override(path: Path, overrides: Mapping[str, Any], recipe: str | None = None, root: Path = ROOT) -> None:
    """Merge a recipe into a params.yaml, then the settings named by dotted keys; its comments are kept.

    Args:
        recipe: the name of a file in recipes/, without its suffix.
        root: the checkout whose recipes/ and other files are meant.

    Raises:
        params.ParamsError: nothing has been written then.
    """
    params.load(path)  # what is wrong already is not the overrides' fault
    text = merged(
        path.read_text(encoding="utf-8"), {} if recipe is None else read_recipe(recipe, root), overrides, root
    )
    params.parse(yaml.safe_load(text), "overrides" if recipe is None else f"recipe {recipe} and overrides")
    if overrides or recipe:
        with whole_file(path) as partial:
            partial.write_text(text, encoding="utf-8")


def read_recipe(name: str, root: Path) -> dict[str, Any]:
    """The settings of recipes/<name>.yaml. Raises ParamsError, with those there are, if it is none of them."""
    known = {file.stem: file for file in sorted((root / "recipes").glob("*.yaml"))}
    if name not in known:
        raise params.ParamsError(f"no recipe {name!r}: there are {', '.join(known)} (recipes/)")
    content: dict[str, Any] = yaml.safe_load(known[name].read_text(encoding="utf-8"))
    return content


def merged(text: str, recipe: Mapping[str, Any], overrides: Mapping[str, Any], root: Path = ROOT) -> str:
    writer = YAML()
    writer.preserve_quotes = True
    writer.width = 1000  # or it folds the lines we wrote
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.representer.add_representer(type(None), represent_null)
    content = writer.load(text)
    merge(content, recipe, root)
    for key, value in overrides.items():
        put(content, key, from_file(key, value, root))
    changed = io.StringIO()
    writer.dump(content, changed)
    return changed.getvalue()


def merge(content: Any, changes: Mapping[str, Any], root: Path) -> None:
    """Put `changes` into `content`: sections into sections, anything else in place of what is there."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(content.get(key), dict):
            merge(content[key], value, root)
        else:
            content[key] = from_file(key, value, root)


def from_file(key: str, value: Any, root: Path) -> Any:
    """The content of the YAML file that a value like `@methods/edm.yaml` names, relative to the checkout's root."""
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    try:
        return yaml.safe_load((root / value[1:]).read_text(encoding="utf-8"))
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
