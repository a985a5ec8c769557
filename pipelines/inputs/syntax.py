"""Code without its words: equal for two programs that do the same and are only said otherwise.

Words are comments, docstrings, what is printed, the text of an error, what a component says of itself, annotations that
do nothing when the program runs, and the names of local variables. Parameters are none: whoever calls may write them.
Annotations of a class's fields are none either: dataclasses and pydantic read them.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

LEFT_OUT = {"ctx", "kind", "type_comment", "type_params", "returns", "annotation"}
"""Fields of a syntax tree's nodes that do nothing, or that not every Python has."""
READS_NAMES = {"dir", "eval", "exec", "globals", "locals", "vars"}
"""Who uses one of these can find out what a local variable is called."""
SAYS = {"formula", "says", "source", "title"}
TAKES = {
    "append",
    "next",
    "pop",
    "popitem",
    "popleft",
    "rand",
    "randint",
    "randn",
    "random",
    "read",
    "send",
    "setattr",
    "update",
    "write",
}
NEVER_DROPPED = (ast.Await, ast.NamedExpr, ast.Yield, ast.YieldFrom)
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def without_words(module: ast.Module) -> ast.Module:
    """A syntax tree without docstrings, prints, texts of errors and annotations; changes what it is given."""
    stripped: ast.Module = Stripper().visit(module)
    return stripped


def declared(statement: ast.stmt) -> tuple[str, ...]:
    """What a component says of itself and of its options (fm/components.py): words, but a report may show them."""
    return tuple(ast.unparse(keyword.value) for node in ast.walk(statement) for keyword in said_of_itself(node))


def said_of_itself(node: ast.AST) -> list[ast.keyword]:
    is_option = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "option"
    if isinstance(node, ast.ClassDef) or (isinstance(node, ast.Call) and is_option):
        return [one for one in node.keywords if one.arg in SAYS and is_text(one.value)]
    return []


@dataclass
class Written:
    """A statement of a module as text: the same by every Python from 3.11 on.

    Attributes:
        used: names of the module around it, each with the attributes that are asked of it: ("noise", "normal").
        inner: the same of names that are bound within and not renamed, as by imports in a function.
    """

    text: str
    used: set[tuple[str, ...]]
    inner: set[tuple[str, ...]]


def written(statement: ast.stmt) -> Written:
    """What a statement does that has no words any more."""
    writer = Writer()
    return Written(writer.write(statement, None), writer.used, writer.inner)


class Stripper(ast.NodeTransformer):
    """Takes the words out of a tree."""

    def __init__(self) -> None:
        self.in_class = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self.inside(node, in_class=False)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.inside(node, in_class=False)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.keywords = [one for one in node.keywords if one not in said_of_itself(node)]
        return self.inside(node, in_class=True)

    def inside(self, node: ast.AST, in_class: bool) -> ast.AST:
        before, self.in_class = self.in_class, in_class
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(reads_annotations(one) for one in node.decorator_list):
                read = [one.annotation for one in ast.walk(node.args) if isinstance(one, ast.arg) and one.annotation]
                node.decorator_list.append(ast.Tuple(read, ast.Load()))
            node.returns = None
        node = self.generic_visit(node)
        self.in_class = before
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if self.in_class:
            return self.generic_visit(node)
        if node.value is None:
            return None
        return self.generic_visit(ast.Assign([node.target], node.value))

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) or is_print(node.value):
            return None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.keywords = [one for one in node.keywords if one not in said_of_itself(node)]
        return self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        return None

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc.args = [one for one in node.exc.args if not is_text(one)]
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None if node.msg is None or is_text(node.msg) else node.msg
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Python 3.11 and later ones cut the texts between the braces otherwise."""
        values: list[ast.expr] = []
        for value in node.values:
            last = values[-1] if values else None
            if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
                values[-1] = ast.Constant(str(last.value) + str(value.value))
            elif not (isinstance(value, ast.Constant) and value.value == ""):
                values.append(value)
        node.values = values
        return self.generic_visit(node)


def reads_annotations(decorator: ast.expr) -> bool:
    """Whether it looks at the types of parameters, as `functools.singledispatch` and pydantic do."""
    chain = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator) or ("",)
    return chain[-1] in {"register", "validate_call"}


def is_print(node: ast.expr) -> bool:
    """Whether all that an expression does is to print for people."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"):
        return False
    if any(one.arg == "file" and dotted(one.value) != ("sys", "stderr") for one in node.keywords):
        return False
    return not any(isinstance(part, NEVER_DROPPED) or takes(part) for part in ast.walk(node))


def takes(node: ast.AST) -> bool:
    """Whether something is asked that may be another afterwards."""
    chain = (dotted(node.func) or ("",)) if isinstance(node, ast.Call) else ("",)
    return chain[-1] in TAKES or chain[:2] in {("np", "random"), ("numpy", "random")}


def is_text(node: ast.expr) -> bool:
    text = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    return text and not any(isinstance(part, NEVER_DROPPED) for part in ast.walk(node))


@dataclass
class Scope:
    """The names of a function, comprehension or class body, while it is written.

    Attributes:
        kept: names that stay as they are: parameters, imports, functions, fields of a class.
        local: names that mean nothing outside.
        numbers: what has been written for one of those.
        of_class: whether functions inside look past it.
    """

    outer: "Scope | None"
    kept: set[str]
    local: set[str]
    of_class: bool = False
    numbers: dict[str, str] = field(default_factory=dict)


class Writer:
    """Writes a tree as text, local variables by their number."""

    def __init__(self) -> None:
        self.counter = count()
        self.used: set[tuple[str, ...]] = set()
        self.inner: set[tuple[str, ...]] = set()

    def write(self, node: object, scope: Scope | None) -> str:
        match node:
            case list():
                return f"[{', '.join(self.write(one, scope) for one in node)}]"
            case ast.Name():
                return f"Name({self.name(node.id, scope)})"
            case ast.Attribute() if (chain := dotted(node)) is not None:
                return f"Name({'.'.join([self.name(chain[0], scope, chain[1:]), *chain[1:]])})"
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                return self.function(node, scope)
            case ast.ClassDef():
                return self.of_class(node, scope)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return self.comprehension(node, scope)
            case ast.AST():
                return self.fields(node, scope)
        return repr(node)

    def fields(self, node: ast.AST, scope: Scope | None, but: Iterable[str] = ()) -> str:
        kept_annotation = isinstance(node, ast.AnnAssign)
        names = [
            name
            for name in node._fields
            if name not in but and (name not in LEFT_OUT or (kept_annotation and name == "annotation"))
        ]
        return f"{type(node).__name__}({', '.join(self.write(getattr(node, name, None), scope) for name in names)})"

    def name(self, name: str, scope: Scope | None, attributes: tuple[str, ...] = ()) -> str:
        """A name as it is written: itself, or a number where it is local to a function."""
        innermost = True
        while scope is not None:
            if innermost or not scope.of_class:
                if name in scope.local:
                    return scope.numbers.setdefault(name, str(next(self.counter)))
                if name in scope.kept:
                    self.inner.add((name, *attributes))
                    if scope.of_class:  # where `norm = norm` has what is around on its right
                        self.used.add((name, *attributes))
                    return name
            innermost, scope = False, scope.outer
        self.used.add((name, *attributes))
        return name

    def function(self, node: Function, scope: Scope | None) -> str:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        parameters = {one.arg for one in every if one is not None}
        body = node.body if isinstance(node.body, list) else [node.body]
        found = bindings(body)
        if any(isinstance(one, ast.Name) and one.id in READS_NAMES for part in body for one in ast.walk(part)):
            inside = Scope(scope, parameters | found.kept | found.local - found.elsewhere, set())
        else:
            inside = Scope(scope, parameters | found.kept, found.local - parameters - found.kept - found.elsewhere)
        # Defaults, decorators and the name itself belong to what is around.
        around = self.fields(node, scope, but={"body"})
        return f"{around} {self.write(body, inside)}"

    def of_class(self, node: ast.ClassDef, scope: Scope | None) -> str:
        found = bindings(node.body)
        inside = Scope(scope, found.kept | found.local, set(), of_class=True)
        return f"{self.fields(node, scope, but={'body'})} {self.write(node.body, inside)}"

    def comprehension(self, node: Comprehension, scope: Scope | None) -> str:
        targets = {one.id for part in node.generators for one in ast.walk(part.target) if isinstance(one, ast.Name)}
        inside = Scope(scope, set(), targets if scope is not None else set())
        first = self.write(node.generators[0].iter, scope)  # which does not see the targets
        return f"{first} {self.fields(node, inside)}"


def dotted(node: ast.expr) -> tuple[str, ...] | None:
    """`a.b.c` as its parts; None for attributes of anything but a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None


@dataclass
class Bindings:
    """Names that a body binds: to be written by number, as they are, or as the function around has them."""

    local: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)


def bindings(body: list[ast.stmt] | list[ast.expr] | list[ast.AST]) -> Bindings:
    found = Bindings()
    for node in own_nodes(body):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found.local.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.kept.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                found.kept.add(name)
            case ast.MatchMapping(rest=str(name)):
                found.kept.add(name)
            case ast.alias():
                found.kept.add((node.asname or node.name).partition(".")[0])
            case ast.Global(names=names):
                found.kept.update(names)
            case ast.Nonlocal(names=names):
                found.elsewhere.update(names)
    return found


def own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a body without those of the functions, classes and comprehensions in it, but for what these do in
    the scope around them."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                waiting += [*getattr(node, "decorator_list", []), node.args]
            case ast.ClassDef():
                waiting += [*node.decorator_list, *node.bases, *node.keywords]
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                waiting.append(node.generators[0].iter)
                # `:=` in a comprehension binds in the function around it.
                waiting += [one.target for one in ast.walk(node) if isinstance(one, ast.NamedExpr)]
            case _:
                waiting += ast.iter_child_nodes(node)
