"""The code of a network without the rest of the library: of each module what the network's class needs, and no more."""

import ast
import hashlib
import inspect
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from torch import nn

from fm.errors import UserError
from pipelines import templates
from pipelines.project import ROOT

LIBRARY = "fm"
LAZY = f"{LIBRARY}.lazy"
ARGUMENTS = {
    "options": "SimpleNamespace(**options)",
    "shape": "shape",
    "channels": "shape[0]",
    "fields": "fields",
    "until": "until",
}
"""What a network of the library may be made of, in the words of network.py.j2."""
Needed = dict[str, set[str]]


@dataclass(frozen=True)
class Module:
    """A module of the library as its text has it.

    Attributes:
        defined: the statement that defines each name at its top.
        ours: where the names that it imports from the library come from: module and name.
        others: what it imports from elsewhere, as it says so.
    """

    name: str
    lines: list[str]
    defined: dict[str, ast.stmt]
    ours: dict[str, tuple[str, str]]
    others: list[str]

    def text(self, node: ast.stmt) -> str:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        return "\n".join(self.lines[first - 1 : node.end_lineno])


class Names(ast.NodeVisitor):
    """The names that a statement needs to run: its annotations are read by nobody."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        self.found.add(node.id)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        for each in (node.target, node.value):
            if each is not None:
                self.visit(each)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for each in (*node.decorator_list, node.args, *node.body):
            self.visit(each)


def files_of(network: nn.Module) -> dict[str, str]:
    """Names and texts of the files; `network.py` has the class `Network`, as diffusers loads it.

    Raises:
        UserError: the network is not the library's.
    """
    kind = type(network)
    if kind.__module__.partition(".")[0] != LIBRARY:
        raise UserError(
            f"the network is {kind.__module__}:{kind.__qualname__}, not of the library: it has to stay here"
        )
    needed: Needed = defaultdict(set)
    for module, name in (
        (kind.__module__, kind.__name__),
        ("fm.conditions", "Label"),
        ("fm.conditions", "Sequence"),
        ("fm.networks.layers", "in_channels_last"),
    ):
        collect(module, name, needed)
    mark = marked(texts_of(needed, ""))
    texts = texts_of(needed, mark)
    page = templates.environment(ROOT / "pipelines" / "export").get_template("network.py.j2")
    entry = page.render(
        {
            "modules": sorted(texts),
            "module_of_class": called(kind.__module__, mark),
            "conditions": called(home("fm.conditions", "Label")[0], mark),
            "layers": called("fm.networks.layers", mark),
            "class": kind.__name__,
            "arguments": ", ".join(ARGUMENTS[name] for name in inspect.signature(kind).parameters),
        }
    )
    return {f"{name}.py": text for name, text in {**texts, "network": f"{entry}\n"}.items()}


def texts_of(needed: Needed, mark: str) -> dict[str, str]:
    """By the names of their files."""
    return {called(module, mark): shortened(read(module), needed, mark) for module in needed}


def marked(texts: Mapping[str, str]) -> str:
    """What tells these files from others of the same modules: a process that loads two exported folders has both."""
    return hashlib.sha256("".join(texts[name] for name in sorted(texts)).encode()).hexdigest()[:8]


def home(module: str, name: str) -> tuple[str, str]:
    """Where a name is defined that a module has, perhaps from another one, and what it is called there."""
    here = read(module)
    return home(*here.ours[name]) if name in here.ours else (module, name)


def collect(module: str, name: str, needed: Needed) -> None:
    """Note a name of a module and all that it needs in turn."""
    module, name = home(module, name)
    here = read(module)
    if name in here.defined and name not in needed[module]:
        needed[module].add(name)
        for other in names_in(here.defined[name]):
            collect(module, other, needed)


def names_in(node: ast.stmt) -> set[str]:
    names = Names()
    names.visit(node)
    return names.found


@cache
def read(module: str) -> Module:
    text = inspect.getsource(sys.modules[module])
    found = Module(module, text.splitlines(), {}, {}, [])
    for node in ast.parse(text).body:
        match node:
            case ast.ImportFrom(module="__future__"):
                pass
            case ast.ImportFrom(module=str(place), names=names) if place == LAZY:
                found.others.extend(f"import {one.name}" for one in names)
            case ast.ImportFrom(module=str(place), names=names) if place.partition(".")[0] == LIBRARY:
                found.ours.update({one.asname or one.name: (place, one.name) for one in names})
            case ast.Import() | ast.ImportFrom():
                found.others.append(found.text(node))
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.defined[name] = node
            case ast.Assign() | ast.AnnAssign():
                found.defined.update(dict.fromkeys(assigned(node), node))
    return found


def assigned(node: ast.Assign | ast.AnnAssign) -> set[str]:
    """The names that it gives something to."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}


def called(module: str, mark: str) -> str:
    """What a module is called in a folder where files of others lie too.

    >>> called("fm.networks.grids", "1a2b3c4d")
    'fm_networks_grids_1a2b3c4d'
    """
    return f"{module.replace('.', '_')}_{mark}"


def shortened(module: Module, needed: Needed, mark: str) -> str:
    """The module's text: what is needed of it, and where it finds what it needs of others."""
    kept = list(dict.fromkeys(node for name, node in module.defined.items() if name in needed[module.name]))
    used = set().union(*map(names_in, kept))
    imported = [
        f"from .{called(place, mark)} import {name}" + (f" as {local}" if local != name else "")
        for local, (place, name) in ((local, home(*there)) for local, there in module.ours.items() if local in used)
    ]
    head = [f'"""Of {module.name}."""', "from __future__ import annotations", "\n".join([*module.others, *imported])]
    return "\n\n\n".join(["\n\n".join(head), *map(module.text, kept)]) + "\n"
