"""What is wrong with settings, for people: one line a mistake, with key, value and what is allowed."""

import difflib
import re
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from fm.components import nearest
from fm.errors import UserError, shown
from pipelines.params.network import Network

MOST_MISTAKES = 20  # that are told
MOST_CHARACTERS = 400  # of a line


class ParamsError(UserError):
    """params.yaml says something that cannot be; the message names key, value and what is allowed."""


def explained(error: ValidationError, source: str, kind: type[BaseModel]) -> ParamsError:
    """Every mistake that pydantic has found in settings of a kind, as one error."""
    lines = [in_a_line(f"{source}: {explain(item, kind)}") for item in error.errors()]
    more = [f"{source}: and {len(lines) - MOST_MISTAKES} mistakes more"] if len(lines) > MOST_MISTAKES else []
    return ParamsError("\n".join(lines[:MOST_MISTAKES] + more))


def explain(item: Any, kind: type[BaseModel]) -> str:
    """What is wrong, for one of pydantic's errors."""
    key = ".".join(str(part) for part in item["loc"])
    match item["type"]:
        case "extra_forbidden":
            return f"{key}: there is no such setting{suggestion(item['loc'], kind)}"
        case "missing":
            return f"{key}: is missing"
        case "invalid_key":
            return f"{shown(item['input'])}: there is no such setting; YAML reads that name as no text"
        case "value_error":
            return f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"])
        case "model_type":
            return (
                f"{key or 'the file'} = {shown(item['input'])}: must have settings by name, as the given file has them"
            )
        case "literal_error":
            given, allowed = item["input"], item["ctx"]["expected"]
            meant = nearest(given, re.findall("'([^']*)'", allowed)) if isinstance(given, str) else ""
            return f"{key} = {shown(given)}: must be {allowed}{meant}"
    return f"{key or 'the file'} = {shown(item['input'])}: {item['msg'][0].lower()}{item['msg'][1:]}"


def suggestion(key: tuple[str | int, ...], kind: type[BaseModel]) -> str:
    """What may have been meant by a key that there is not."""
    *parents, name = (str(part) for part in key)
    found = difflib.get_close_matches(name, settings_in(kind, tuple(parents)), n=1)
    if found:
        return f"; did you mean {'.'.join([*parents, *found])}?"
    elsewhere = [section for section in settings_in(kind, ()) if name in settings_in(kind, (section,))]
    return f"; did you mean {elsewhere[0]}.{name}?" if elsewhere else ""


def settings_in(kind: Any, parents: tuple[str, ...]) -> list[str]:
    """The settings that there are under a dotted key, below a section or a type that holds sections."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
        if not parents:
            return [*fields, *(Network.options() if kind is Network else [])]
        return settings_in(fields.get(parents[0]), parents[1:])
    held = [one for one in get_args(kind) if one is not type(None)]  # of a list, a mapping, an optional section
    if not held:
        return []
    return settings_in(held[-1], parents[1:] if get_origin(kind) in (dict, list) else parents)


def in_a_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 1]}…"
