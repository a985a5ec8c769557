"""What counts as words, and that nothing else does."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inputs.syntax import without_words, written


def text_of(code: str) -> str:
    return "\n".join(written(statement).text for statement in without_words(ast.parse(code)).body)


CODE = '''
@dataclass
class Path:
    """Words."""

    n: float = 2.0
    """More words."""

    def at(self, t: Tensor, *others: int, scale=1.0) -> Tensor:
        """Words."""
        power = t**self.n  # words
        total: float = 0.0
        for index, other in enumerate(others):
            total += sum(other * index for other in [other])
        if total < 0:
            raise ValueError(f"total = {total}: must not be negative")
        return power * total / scale
'''

SAID_OTHERWISE = {
    "a docstring": ('"""Words."""', '"""Others."""'),
    "no docstring": ('        """Words."""\n', ""),
    "a comment": ("# words", "# others, and more of them"),
    "what a field is said to be": ('    """More words."""\n', ""),
    "an annotation": ("t: Tensor", "t: Float[Tensor, 'B']"),
    "none": (" -> Tensor", ""),
    "of a local variable": ("total: float = 0.0", "total = 0.0"),
    "a line that is printed": ("        if total < 0", '        print(f"total {total}")\n        if total < 0'),
    "the text of an error": ('f"total = {total}: must not be negative"', '"negative"'),
    "a line break": ("power * total / scale", "(\n            power * total / scale\n        )"),
    "names of local variables": ("total", "sum_of_all"),
    "of a loop": ("index", "i"),
}
DONE_OTHERWISE = {
    "an operator": ("power * total", "power + total"),
    "a number": ("total: float = 0.0", "total: float = 1.0"),
    "a default": ("n: float = 2.0", "n: float = 3.0"),
    "the type of a field, which dataclasses and pydantic read": ("n: float", "n: int"),
    "a parameter's name, which a caller may write": ("scale", "size"),
    "a field's name": ("n: float", "m: float"),
    "an order": ("power * total / scale", "power / total * scale"),
    "a comparison": ("total < 0", "total <= 0"),
    "another variable": ("power * total / scale", "total * total / scale"),
    "another error": ("ValueError", "TypeError"),
    "a decorator": ("@dataclass\n", ""),
}


@pytest.mark.parametrize("change", SAID_OTHERWISE.values(), ids=SAID_OTHERWISE)
def test_words_change_nothing(change: tuple[str, str]) -> None:
    assert (other := CODE.replace(*change)) != CODE
    assert text_of(other) == text_of(CODE)


@pytest.mark.parametrize("change", DONE_OTHERWISE.values(), ids=DONE_OTHERWISE)
def test_whatever_else_changes_it(change: tuple[str, str]) -> None:
    assert (other := CODE.replace(*change, 1)) != CODE
    assert text_of(other) != text_of(CODE)


LOCALS = """
def f(a, b):
    x, y = a, b
    def inner(c):
        nonlocal y
        x2 = x + c
        y += x2
        return [y + z for z in range(x2) if z]
    with a as w:
        total = inner(w)
    try:
        total += 1
    except ValueError as error:
        log(error)
    if (n := total) > 1:
        return lambda k: n + k + y
    return total
"""
SWAPPED = [("x", "y"), ("x2", "x"), ("z", "x2"), ("w", "n"), ("total", "z")]


@pytest.mark.parametrize("new", ["q", "name_of_nobody"])
@pytest.mark.parametrize("name", ["x", "x2", "z", "w", "total", "n"])
def test_a_local_variable_may_have_another_name_in_all_scopes(name: str, new: str) -> None:
    assert text_of(renamed(LOCALS, {name: new})) == text_of(LOCALS)


@pytest.mark.parametrize("pair", SWAPPED)
def test_two_local_variables_are_not_taken_for_each_other(pair: tuple[str, str]) -> None:
    """In one place only: there it is another program."""
    first = pair[0]
    for place in range(sum(isinstance(n, ast.Name) and n.id == first for n in ast.walk(ast.parse(LOCALS)))):
        other = renamed(LOCALS, {first: pair[1]}, only=place)
        assert text_of(other) != text_of(LOCALS), place


def renamed(code: str, names: dict[str, str], only: int | None = None) -> str:
    tree = ast.parse(code)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in names]
    for number, node in enumerate(found):
        if only in (None, number):
            node.id = names[node.id]
    return ast.unparse(tree)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x):\n    y = x\n    return y", "def f(x):\n    y = x\n    return x"),
        ("def f():\n    x = 1\n    return g(x)", "def f():\n    x = 1\n    return g(y)"),
        ("def f():\n    global x\n    x = 1", "def f():\n    x = 1"),
        ("def g():\n    x = 1\n    def f():\n        global x\n        return x\n    return f",
         "def g():\n    y = 1\n    def f():\n        global x\n        return y\n    return f"),
        ("def f():\n    x = 1\n    return locals()", "def f():\n    y = 1\n    return locals()"),
        ("class A:\n    x = 1", "class A:\n    y = 1"),
        ("x = 1", "y = 1"),
        ("def f():\n    x = y = 1\n    class A:\n        x = 2\n        def m(self):\n            return x",
         "def f():\n    x = y = 1\n    class A:\n        x = 2\n        def m(self):\n            return y"),
        ("def f(x):\n    return f'{x} a'", "def f(x):\n    return f'{x} b'"),
        ("def f(x):\n    print(y := x)\n    return y", "def f(x):\n    return y"),
        ("def f():\n    raise ValueError(3)", "def f():\n    raise ValueError(4)"),
        ("def f(x):\n    print(x)", "def f(x):\n    print(next(x))"),
        ("def f(x):\n    print(1, file=x)", "def f(x):\n    print(2, file=x)"),
        ("@f.register\ndef _(x: int): ...", "@f.register\ndef _(x: str): ..."),
    ],
)  # fmt: skip
def test_programs_that_differ(one: str, other: str) -> None:
    assert text_of(one) != text_of(other)


NAMES = st.sampled_from("abc")
EXPRESSIONS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+*-"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(NAMES, inner, inner).map(lambda p: f"sum([{p[1]} for {p[0]} in ({p[2]},)])"),
        st.tuples(NAMES, inner, inner).map(lambda p: f"(lambda {p[0]}=0: {p[1]} + {p[2]})()"),
    ),
    max_leaves=6,
)
PROGRAMS = st.lists(st.tuples(NAMES, EXPRESSIONS), min_size=1, max_size=4)


@given(PROGRAMS, PROGRAMS)
def test_equal_texts_are_equal_results(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    """Of programs of assignments alone, run with the same numbers."""
    first, second = program(one), program(other)
    if text_of(first) == text_of(second):
        assert result(first) == result(second)


def program(lines: list[tuple[str, str]]) -> str:
    body = "\n".join(f"    {name} = {value}" for name, value in lines)
    return f"def f(z=0):\n    a, b, c = 2, 3, 5\n{body}\n    return {lines[-1][0]}"


def result(code: str) -> object:
    space: dict = {}
    exec(code, space)
    return space["f"]()


def test_the_text_is_that_of_any_python() -> None:
    """3.12 gave functions and classes type parameters, and cuts the texts between braces otherwise."""
    tree = ast.parse("def f(x):\n    return f'a{x}b'\nclass A: ...")
    for node in tree.body:
        node.type_params = []  # type: ignore[attr-defined]
    joined = next(node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr))
    joined.values[-1:] = [ast.Constant("b"), ast.Constant("")]
    later = "\n".join(written(one).text for one in without_words(tree).body)
    assert later == text_of("def f(x):\n    return f'a{x}b'\nclass A: ...")
