"""Our modules as statements: which of them binds a name, and where an imported name comes from."""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.machinery import PathFinder
from pathlib import Path

from pipelines.inputs.syntax import Written, bindings, declared, dotted, without_words, written

COMPOUND = (ast.If, ast.Try, ast.TryStar, ast.With, ast.For, ast.While, ast.Match)
Place = tuple[str, str | None]
"""A module, and a name in it; None is the module itself."""


@dataclass(frozen=True)
class Statement:
    """A statement at the top of a module.

    Attributes:
        node: without words.
        typed: the names in its annotations, with attributes: they do nothing, and say what it deals with.
        declared: what a component says of itself.
        main: whether it is done only where the module is the program.
        package: what relative imports in it start from.
    """

    node: ast.stmt
    typed: frozenset[tuple[str, ...]]
    declared: tuple[str, ...]
    main: bool
    package: str = ""

    @cached_property
    def written(self) -> Written:
        return written(self.node)

    @cached_property
    def imports(self) -> dict[str, tuple[Place, ...]]:
        """What imports anywhere in it bind, each to all that it may be."""
        found: dict[str, tuple[Place, ...]] = {}
        for name, place in imported(self.node, self.package):
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), place)))
        return found

    @cached_property
    def executes(self) -> frozenset[str]:
        """Modules that are run by what it imports, their packages apart."""
        return frozenset(executed(self.node, self.package))

    @cached_property
    def given(self) -> frozenset[tuple[str, str]]:
        """Names with texts that they are given: by a keyword, by a default, as in `Solver.of("ddim")`."""
        return frozenset((name, text) for name, value in named_values(self.node) for text in texts_in(value))

    @cached_property
    def texts(self) -> frozenset[str]:
        return frozenset(texts_in(self.node))


@dataclass(frozen=True)
class Source:
    """A module.

    Attributes:
        name: dotted.
        file: None for a folder that is a package without a file of its own.
        shown: what people are told: the file's path from the root, or the name of a module of another place.
        bound: name -> the statements that bind it.
        imports: name -> where it may come from, of imports at the top.
        stars: modules of which all names are imported.
        executes: modules that these run.
        effects: statements that do something when the module is imported, whoever asks for what of it.
    """

    name: str
    file: Path | None
    shown: str
    statements: tuple[Statement, ...] = ()
    bound: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    imports: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    stars: tuple[str, ...] = ()
    executes: frozenset[str] = frozenset()
    effects: tuple[int, ...] = ()

    @cached_property
    def fronts(self) -> dict[str, tuple[str, ...]]:
        """Name -> modules that tables of this module have for it: `{"Budget": "fm.batches"}`."""
        found: dict[str, tuple[str, ...]] = {}
        for node in (part for one in self.statements for part in ast.walk(one.node) if isinstance(part, ast.Dict)):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found[str(key.value)] = (*found.get(str(key.value), ()), value.value)
        return found

    @cached_property
    def data(self) -> dict[str, Path]:
        """The files beside it, and in folders beside it, that are no modules: by their path from there."""
        if self.file is None:
            return {}
        folder = self.file.parent
        found = (one for one in sorted(folder.rglob("*")) if one.suffix not in {".py", ".pyc"} and one.is_file())
        return {one.relative_to(folder).as_posix(): one for one in found}


class Code:
    """The modules of a checkout, and of packages that are installed beside it.

    Args:
        root: the checkout.
        packages: names of packages that lie in it.
        installed: names of packages that may lie anywhere.
    """

    def __init__(self, root: Path, packages: tuple[str, ...], installed: tuple[str, ...] = ()) -> None:
        self.root = root
        self.packages = packages
        self.installed = installed
        self._known: dict[str, Source | None] = {}

    def module(self, name: str) -> Source | None:
        """None where there is none of this name among the packages."""
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def modules(self, package: str) -> Iterator[Source]:
        """All of a package of the checkout."""
        for file in sorted((self.root / package).rglob("*.py")):
            parts = file.relative_to(self.root).with_suffix("").parts
            found = self.module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
            if found is not None:
                yield found

    def _read(self, name: str) -> Source | None:
        place = self._place(name)
        if place is None:
            return None
        for file in (place / "__init__.py", place.with_suffix(".py")):  # as Python looks for them
            if file.is_file():
                inside = file.is_relative_to(self.root) and name.partition(".")[0] in self.packages
                when = file.stat()
                shown = file.relative_to(self.root).as_posix() if inside else name
                return parse(name, file, shown, (when.st_mtime_ns, when.st_size))
        return Source(name, None, name) if place.is_dir() else None

    def _place(self, name: str) -> Path | None:
        """Where a module would lie, without its suffix."""
        top, *rest = name.split(".")
        if top in self.packages:
            return self.root.joinpath(top, *rest)
        if top not in self.installed:
            return None
        spec = PathFinder.find_spec(top)  # which runs nothing of it
        if spec is None:
            return None
        if spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)), *rest)
        return Path(spec.origin).with_suffix("") if spec.origin and not rest else None


@lru_cache(maxsize=1000)
def parse(name: str, file: Path, shown: str, written: tuple[int, int]) -> Source:
    """A file's content as it was when it was `written` last; a stage asks for the same again at its end."""
    tree = ast.parse(file.read_bytes(), str(file))
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    statements = [one for node in tree.body for kept in at_run_time(node) for one in statements_of(kept, package)]
    bound: dict[str, tuple[int, ...]] = {}
    imports: dict[str, tuple[Place, ...]] = {}
    executes: set[str] = set()
    for index, statement in enumerate(statements):
        node = statement.node
        if isinstance(node, (ast.Import, ast.ImportFrom, *COMPOUND)):
            for one, places in statement.imports.items():
                imports[one] = tuple(dict.fromkeys((*imports.get(one, ()), *places)))
        if isinstance(node, ast.Import | ast.ImportFrom):
            executes |= statement.executes
            continue
        found = bindings([node])
        names = found.local | found.kept
        if isinstance(node, COMPOUND):
            names -= statement.imports.keys()
        for one in names:
            bound[one] = (*bound.get(one, ()), index)
    ours = {*bound, *(one for one, places in imports.items() if not all(is_of_others(place) for place in places))}
    effects = tuple(index for index, one in enumerate(statements) if not one.main and has_effect(one.node, ours))
    stars = tuple(module for module, _ in imports.pop("*", ()))
    return Source(name, file, shown, tuple(statements), bound, imports, stars, frozenset(executes), effects)


def statements_of(node: ast.stmt, package: str) -> list[Statement]:
    """One, or none where it is all words."""
    typed, says = frozenset(in_annotations(node)), declared(node)
    stripped = without_words(ast.Module([node], [])).body
    return [Statement(kept, typed, says, is_main(kept), package) for kept in stripped]


def has_effect(node: ast.stmt, ours: set[str]) -> bool:
    """Whether a statement does more than to give a name to something: a decorator may keep a function or a class for
    others. A class that is registered by its base is used by who names it, in code or in settings.

    Args:
        ours: the names of the module that neither Python nor a library of others gives.
    """
    match node:
        case ast.Import() | ast.ImportFrom():
            return False
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return any(keeps(one, ours) for one in node.decorator_list)
        case ast.Assign():
            names = {one.id for one in node.targets if isinstance(one, ast.Name)}
            parts = [part for one in node.targets for part in ast.walk(one)]
            return "_" in names or any(isinstance(part, ast.Attribute | ast.Subscript) for part in parts)
    return True


def keeps(decorator: ast.expr, ours: set[str]) -> bool:
    """Whether a decorator may do more than to change what it decorates."""
    chain = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
    return chain is None or chain[-1] == "register" or chain[0] in ours


def is_of_others(place: Place) -> bool:
    """Whether something comes from Python or from a library whose decorators keep nothing."""
    return place[0].partition(".")[0] in {*sys.stdlib_module_names, "numpy", "pydantic", "pytest", "torch"}


def at_run_time(node: ast.stmt) -> list[ast.stmt]:
    """What is left of a statement without what is for type checkers, or what Python itself is told."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return []
    if isinstance(node, ast.If) and (dotted(node.test) or ("",))[-1] == "TYPE_CHECKING":
        return [kept for one in node.orelse for kept in at_run_time(one)]
    return [node]


def is_main(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`, and nothing else."""
    return isinstance(node, ast.If) and not node.orelse and ast.unparse(node.test) == "__name__ == '__main__'"


def imported(node: ast.AST, package: str) -> Iterator[tuple[str, Place]]:
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            for alias in one.names:
                top = alias.name.partition(".")[0]  # which is what `import a.b` binds
                yield (alias.asname, (alias.name, None)) if alias.asname else (top, (top, None))
        elif isinstance(one, ast.ImportFrom):
            for alias in one.names:
                yield alias.asname or alias.name, (module_of(one, package), alias.name)


def executed(node: ast.AST, package: str) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            yield from (alias.name for alias in one.names)
        elif isinstance(one, ast.ImportFrom):
            module = module_of(one, package)
            yield module
            yield from (f"{module}.{alias.name}" for alias in one.names)


def module_of(node: ast.ImportFrom, package: str) -> str:
    """What `from MODULE import` means, `from . import` too."""
    if not node.level:
        return str(node.module)
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def named_values(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for one in ast.walk(node):
        match one:
            case ast.keyword(arg=str(name), value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.Call(args=[ast.Constant(value=str(name)), value, *_]):
                yield name, value
            case ast.Call(func=ast.Attribute(value=base, attr="of"), args=[value, *_]):
                yield (dotted(base) or ("",))[-1].lower(), value  # Path.of("cond_ot"), Solver.of("ddim")
            case ast.arguments():
                positional = [*one.posonlyargs, *one.args]
                with_default = positional[len(positional) - len(one.defaults) :]
                yield from zip((each.arg for each in with_default), one.defaults, strict=True)
                pairs = zip(one.kwonlyargs, one.kw_defaults, strict=True)
                yield from ((each.arg, default) for each, default in pairs if default is not None)


def texts_in(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def in_annotations(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """The names in all annotations of a statement, those in quotes too."""
    for one in ast.walk(node):
        for annotation in (getattr(one, "annotation", None), getattr(one, "returns", None)):
            if isinstance(annotation, ast.expr):
                yield from names_in(annotation)


def names_in(annotation: ast.expr) -> Iterator[tuple[str, ...]]:
    for one in ast.walk(annotation):
        if isinstance(one, ast.Name | ast.Attribute) and (chain := dotted(one)) is not None:
            yield chain
        elif isinstance(one, ast.Constant) and isinstance(one.value, str):
            try:
                yield from names_in(ast.parse(one.value, mode="eval").body)
            except SyntaxError:
                continue
