"""Settings given with a run, written into params.yaml before it starts."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fm.errors import shown
from pipelines import edges, params, yaml_reading
from pipelines.project import ROOT, whole_file

OF_A_KIND = (("dataset", "condition"), ("codec", "autoencoder"))
"""Settings that are a kind with options of its own."""


def override(path: Path, overrides: Mapping[str, Any], recipe: str | None = None, root: Path = ROOT) -> None:
    """Merge a recipe into a params.yaml, then the settings named by dotted keys; its comments are kept.

    Args:
        recipe: the name of a file in recipes/, without its suffix.
        root: the checkout whose recipes/ and other files are meant.

    Raises:
        params.ParamsError: nothing has been written then.
    """
    write(path, planned(path, overrides, recipe, root)[0])


def planned(
    path: Path, overrides: Mapping[str, Any], recipe: str | None = None, root: Path = ROOT
) -> tuple[str, params.Params]:
    """What `override` would write, and the settings it says, checked."""
    chosen = params.load(path)  # what is wrong already is not the overrides' fault
    text = yaml_reading.text(path)
    if not overrides and recipe is None:
        return text, chosen
    changed = merged(text, {} if recipe is None else read_recipe(recipe, root), overrides, root)
    source = "overrides" if recipe is None else f"recipe {recipe} and overrides"
    return changed, params.parse(content_of(changed, source), source)


def write(path: Path, text: str) -> None:
    """Nothing where the file has that text already; dvc.yaml beside it gets the edges that its rows ask for."""
    if yaml_reading.text(path) != text:
        with whole_file(path) as partial:
            partial.write_text(text, encoding="utf-8")
        edges.renew(path.parent)


def content_of(text: str, source: str) -> Any:
    try:
        return yaml_reading.content(text)
    except ValueError as error:
        raise params.ParamsError(f"{source}: {error}") from None


def read_recipe(name: str, root: Path) -> dict[str, Any]:
    """The settings of recipes/<name>.yaml. Raises ParamsError, with those there are, if it is none of them."""
    known = {file.stem: file for file in sorted((root / "recipes").glob("*.yaml"))}
    if name not in known:
        raise params.ParamsError(f"no recipe {shown(name)}: there are {', '.join(known)} (recipes/)")
    content = params.read(inside(known[name], root, f"recipe {name}"))
    if not isinstance(content, dict):
        raise params.ParamsError(f"recipe {name}: must have sections with settings, as params.yaml has")
    return content


def inside(file: Path, root: Path, source: str) -> Path:
    """A YAML file of the checkout, wherever links lead.

    Raises:
        params.ParamsError: it lies elsewhere, or is no YAML file: what it holds is nobody's setting.
    """
    place, home = file.resolve(), root.resolve()
    if not place.is_relative_to(home) or place.suffix not in (".yaml", ".yml"):
        raise params.ParamsError(f"{source}: {shown(str(file))}: must be a .yaml file of this checkout")
    return place


def merged(text: str, recipe: Mapping[str, Any], overrides: Mapping[str, Any], root: Path = ROOT) -> str:
    writer = YAML()
    writer.preserve_quotes = True
    writer.width = 1000  # or it folds the lines we wrote
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.representer.add_representer(type(None), represent_null)
    content = writer.load(text)
    if isinstance(dataset := recipe.get("dataset"), dict):
        forget_options(content, dataset.get("name"))
    forget_kinds(content, recipe)
    merge(content, recipe, root)
    forget_options(content, overrides.get("dataset.name"))
    forget_kinds(content, nested(overrides))
    for key, value in overrides.items():
        put(content, key, from_file(key, value, root))
    changed = io.StringIO()
    try:
        writer.dump(content, changed)
    except RecursionError:
        raise params.ParamsError("overrides: nested too deep") from None
    return changed.getvalue()


def forget_options(content: Any, name: Any) -> None:
    """Another dataset's options go with it, since they are its own."""
    dataset = content.get("dataset")
    if isinstance(dataset, dict) and name not in (None, dataset.get("name")) and "options" in dataset:
        dataset["options"] = None


def forget_kinds(content: Any, changes: Mapping[str, Any]) -> None:
    """What has a kind is left without its options where another is named."""
    for section, name in OF_A_KIND:
        there, chosen = (inner(inner(one, section), name) for one in (content, changes))
        kind = inner(chosen, "kind")
        if kind is not None and there is not None and inner(there, "kind") != kind:
            content[section][name] = None


def inner(content: Any, name: str) -> Any:
    """
    >>> inner({"kind": "observed"}, "kind"), inner("labels", "kind")
    ('observed', None)
    """
    return content.get(name) if isinstance(content, Mapping) else None


def nested(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The kinds that are named by dotted keys, as a recipe has them.

    >>> nested({"dataset.condition.kind": "observed", "train.seed": 1})
    {'dataset': {'condition': {'kind': 'observed'}}}
    """
    named = [(section, name, overrides.get(f"{section}.{name}.kind")) for section, name in OF_A_KIND]
    return {section: {name: {"kind": kind}} for section, name, kind in named if kind is not None}


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
    source = f"overrides: {key}"
    try:
        return yaml_reading.read(inside(root / value[1:], root, source))
    except OSError as error:
        raise params.ParamsError(f"{source}: can't read {shown(value[1:])}: {error.strerror}") from None
    except ValueError as error:
        raise params.ParamsError(f"{source}: {shown(value[1:])}: {error}") from None


def from_arguments(arguments: Sequence[str]) -> dict[str, Any]:
    """Overrides as a command line gives them, `key=value` each, the values in YAML."""
    overrides = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not key or not equals:
            raise params.ParamsError(f"{shown(argument)}: must be key=value, for example train.images_seen=50000")
        overrides[key] = value if value.startswith("@") else content_of(value, shown(key))
    return overrides


def put(content: Any, key: str, value: Any) -> None:
    """A row of methods that is null is taken out, if it is there; a section that is null has nothing in it yet."""
    *sections, name = key.split(".")
    for section in sections:
        if content.get(section) is None:
            content[section] = {}
        content = content[section]
        if not isinstance(content, dict):
            raise params.ParamsError(f"overrides: {key}: {section} has no settings of its own")
    if sections == ["methods"] and value is None:
        if list(content) == [name]:
            raise params.ParamsError(f"overrides: {key}: the only row cannot be taken out")
        content.pop(name, None)
    else:
        content[name] = value


def represent_null(representer: Any, _: None) -> Any:
    """ruamel.yaml would write nothing at all."""
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
