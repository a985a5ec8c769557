"""Our modules as statements: which of them binds a name, and where an imported name comes from."""

import ast
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
    """

    node: ast.stmt
    typed: frozenset[tuple[str, ...]]
    declared: tuple[str, ...]
    main: bool

    @cached_property
    def written(self) -> Written:
        return written(self.node)

    @cached_property
    def imports(self) -> dict[str, Place]:
        """What imports anywhere in it bind."""
        return dict(imported(self.node))

    @cached_property
    def executes(self) -> frozenset[str]:
        """Modules that are run by what it imports, their packages apart."""
        return frozenset(executed(self.node))

    @cached_property
    def given(self) -> frozenset[tuple[str, str]]:
        """Names with texts that they are given: by a keyword, by a default, or as `build("solver", "ddim")` has it."""
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
        imports: name -> where it comes from, of imports at the top.
        executes: modules that these run.
        effects: statements that do something when the module is imported, whoever asks for what of it.
    """

    name: str
    file: Path | None
    shown: str
    statements: tuple[Statement, ...] = ()
    bound: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    imports: Mapping[str, Place] = field(default_factory=dict)
    executes: frozenset[str] = frozenset()
    effects: tuple[int, ...] = ()

    @cached_property
    def data(self) -> dict[str, Path]:
        """The files beside it that are no modules, by name."""
        beside = () if self.file is None else self.file.parent.iterdir()
        return {one.name: one for one in beside if one.suffix != ".py" and one.is_file()}


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
        for file in (place.with_suffix(".py"), place / "__init__.py"):
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
    statements = [one for node in tree.body if not is_for_types(node) for one in statements_of(node)]
    bound: dict[str, tuple[int, ...]] = {}
    imports: dict[str, Place] = {}
    executes: set[str] = set()
    effects = []
    for index, statement in enumerate(statements):
        node = statement.node
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports |= statement.imports
            executes |= statement.executes
            continue
        found = bindings([node])
        names = found.local | found.kept
        if isinstance(node, COMPOUND):
            imports |= statement.imports
            names -= statement.imports.keys()
        for one in names:
            bound[one] = (*bound.get(one, ()), index)
        if not statement.main and "__all__" not in names and has_effect(node):
            effects.append(index)
    return Source(name, file, shown, tuple(statements), bound, imports, frozenset(executes), tuple(effects))


def statements_of(node: ast.stmt) -> list[Statement]:
    """One, or none where it is all words."""
    typed, says = frozenset(in_annotations(node)), declared(node)
    return [Statement(kept, typed, says, is_main(kept)) for kept in without_words(ast.Module([node], [])).body]


def has_effect(node: ast.stmt) -> bool:
    """Whether a statement does more than to give a name to something: `@describe.register` gives a function to another
    one. A class that is registered by its base is used by who names it, in code or in settings."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        called = (one.func if isinstance(one, ast.Call) else one for one in node.decorator_list)
        return any(isinstance(one, ast.Attribute) and one.attr == "register" for one in called)
    if isinstance(node, ast.Assign):
        return any(isinstance(part, ast.Attribute | ast.Subscript) for one in node.targets for part in ast.walk(one))
    return not isinstance(node, ast.ClassDef)


def is_for_types(node: ast.stmt) -> bool:
    """`if TYPE_CHECKING:`, or what Python itself is told."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return True
    return isinstance(node, ast.If) and (dotted(node.test) or ("",))[-1] == "TYPE_CHECKING"


def is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(one, ast.Name) and one.id == "__name__" for one in ast.walk(node.test)
    )


def imported(node: ast.AST) -> Iterator[tuple[str, Place]]:
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            for alias in one.names:
                top = alias.name.partition(".")[0]  # which is what `import a.b` binds
                yield (alias.asname, (alias.name, None)) if alias.asname else (top, (top, None))
        elif isinstance(one, ast.ImportFrom):
            for alias in one.names:
                yield alias.asname or alias.name, (str(one.module), alias.name)


def executed(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            yield from (alias.name for alias in one.names)
        elif isinstance(one, ast.ImportFrom):
            yield str(one.module)
            yield from (f"{one.module}.{alias.name}" for alias in one.names)


def named_values(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for one in ast.walk(node):
        match one:
            case ast.keyword(arg=str(name), value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.Call(args=[ast.Constant(value=str(name)), value, *_]):
                yield name, value
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
