"""What a run is called: its data set, and how its settings differ from those that are committed."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from fm.errors import UserError
from pipelines import params
from pipelines.params import Params
from pipelines.project import ROOT
from pipelines.records import provenance

MOST = 5  # differences that are told
LONGEST = 24  # characters of a value


def of_run(root: Path = ROOT) -> str:
    """`digits, learning_rate 0.01`; nothing where there are no settings to read."""
    try:
        settings = params.load(root / params.FILE)
    except (UserError, OSError):
        return ""
    return ", ".join([settings.dataset.name, *shortened(differences(settings, committed(settings, root)))])


def committed(settings: Params, root: Path) -> Params:
    """The settings of the commit that is checked out, as they would be for the same data set; the same settings where
    there is no commit, or one that cannot be read."""
    text = provenance.git(root, "show", f"HEAD:./{params.FILE}", check=False)
    try:
        content = yaml.safe_load(text)
        content["dataset"]["name"] = settings.dataset.name
        return params.parse(content)
    except (UserError, yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError):
        return settings


def differences(settings: Params, usual: Params) -> list[str]:
    """Each in a few words: `learning_rate 0.01`, `diffusion.samplers`, `with edm`, `without diffusion`."""
    here, there = params.flat(settings), params.flat(usual)
    names = Counter(key.rpartition(".")[2] for key in here)
    changed = [
        f"{last if names[last := key.rpartition('.')[2]] == 1 else key} {short(value)}"
        for key, value in here.items()
        if key != "methods" and value != there.get(key)
    ]
    return changed + methods(settings, usual)


def methods(settings: Params, usual: Params) -> list[str]:
    added = [f"with {name}" for name in settings.methods if name not in usual.methods]
    removed = [f"without {name}" for name in usual.methods if name not in settings.methods]
    changed = [
        f"{name}.{part}"
        for name in settings.methods
        if name in usual.methods
        for part, value in parts(settings, name).items()
        if value != parts(usual, name)[part]
    ]
    return added + removed + changed


def parts(settings: Params, name: str) -> dict[str, Any]:
    """What a method has of its own."""
    method = settings.methods[name]
    own = None if method.network == settings.network else method.network
    return {"objective": method.objective, "network": own, "samplers": method.samplers}


def short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST else f"…{text[1 - LONGEST :]}"


def shortened(changes: list[str]) -> list[str]:
    rest = len(changes) - MOST
    return changes if rest <= 1 else [*changes[:MOST], f"{rest} more"]
