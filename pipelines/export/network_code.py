"""The code of a network without the rest of the library: the modules of fm.networks that it is made of."""

import ast
import inspect
import re
import sys
from types import ModuleType

from torch import nn

from fm import conditions
from fm.errors import UserError
from pipelines import templates
from pipelines.project import ROOT

HOME = "fm.networks"
CONDITIONS = "fm_conditions"
IMPORT = re.compile(r"^from fm\.(?:networks\.)?(\w+) import (.*)$", re.MULTILINE)
SPECS = (conditions.Label, conditions.Vector, conditions.Sequence, conditions.Map)
HEAD = '''"""What a datum is under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

Condition = Mapping[str, Tensor]
'''


def files_of(network: nn.Module) -> dict[str, str]:
    """Names and texts of the files; `network.py` has the class `Network`, as diffusers loads it.

    Raises:
        UserError: the network is not the library's.
    """
    kind = type(network)
    if not kind.__module__.startswith(f"{HOME}."):
        raise UserError(
            f"the network is {kind.__module__}:{kind.__qualname__}, not of the library: it has to stay here"
        )
    texts = {CONDITIONS: code_of_conditions()}
    waiting = [kind.__module__]
    while waiting:
        module = waiting.pop()
        if (name := called(module)) not in texts:
            texts[name] = alone(sys.modules[module])
            waiting += imported(sys.modules[module])
    page = templates.environment(ROOT / "pipelines" / "export").get_template("network.py.j2")
    entry = page.render({"modules": sorted(texts), "module_of_class": called(kind.__module__), "class": kind.__name__})
    return {f"{name}.py": text for name, text in {**texts, "network": f"{entry}\n"}.items()}


def called(module: str) -> str:
    """What a module of fm is called where the others are not: beside files of other people."""
    return f"fm_{module.rpartition('.')[2]}"


def imported(module: ModuleType) -> list[str]:
    """The modules of fm.networks that are needed to run it: options are only named in annotations."""
    found = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ImportFrom)]
    return [
        node.module
        for node in found
        if node.module and node.module.startswith(f"{HOME}.") and not only_options([one.name for one in node.names])
    ]


def only_options(names: list[str]) -> bool:
    return all(name.endswith("Options") for name in names)


def alone(module: ModuleType) -> str:
    """A module's text with fm's modules beside it, and annotations that nobody evaluates."""

    def beside(found: re.Match[str]) -> str:
        module, names = found.groups()
        return "" if only_options(names.split(", ")) else f"from .{called(module)} import {names}"

    text = IMPORT.sub(beside, inspect.getsource(module))
    end = ast.parse(text).body[0].end_lineno  # of the docstring
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:end], "\nfrom __future__ import annotations\n", *lines[end:]])


def code_of_conditions() -> str:
    specs = "".join(f"\n\n{inspect.getsource(spec)}" for spec in SPECS)
    return f"{HEAD}{specs}\n\nSpec = {' | '.join(spec.__name__ for spec in SPECS)}\n"
