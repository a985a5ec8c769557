"""Every text of ours is read and written in UTF-8, whatever the locale is: a kind of fault that ruff sees by half."""

import ast
import re
from pathlib import Path

import pytest

from pipelines.project import ROOT

PACKAGES = ("fm", "pipelines", "flows", "infra", "examples", "benchmarks")
TEXT_MODE = re.compile(r"[rwax]t?\+?")


def without_encoding(code: str) -> list[ast.Call]:
    """Calls that read or write text in the locale's encoding."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return [call for call in calls if is_text(call) and not any(word.arg == "encoding" for word in call.keywords)]


def is_text(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("read_text", "write_text"):
        return True
    if name in ("open", "fdopen"):  # a path's, a descriptor's; what is given something else opens no text
        modes = [value for value in map(constant, call.args) if isinstance(value, str)]
        of_a_path = not call.args and not any(word.arg == "fileobj" for word in call.keywords)
        return of_a_path or any(TEXT_MODE.fullmatch(mode) for mode in modes)
    return any(word.arg in ("text", "universal_newlines") and constant(word.value) is True for word in call.keywords)


def constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


FILES = sorted(file.relative_to(ROOT) for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=str)
def test_text_has_an_encoding(file: Path) -> None:
    found = without_encoding((ROOT / file).read_text(encoding="utf-8"))
    assert not [f"{file}:{call.lineno}: {ast.unparse(call)}" for call in found]


@pytest.mark.parametrize(
    "code", ["(a / 'b').read_text()", "f(x.write_text(y))", "p.open()", "p.open('w', newline='')", "run(c, text=True)"]
)
def test_the_look_finds_what_lacks_one(code: str) -> None:
    assert len(without_encoding(code)) == 1


@pytest.mark.parametrize(
    "code", ["p.read_text(encoding='utf-8')", "p.open('rb')", "Image.open(p)", "run(c, text=True, encoding='utf-8')"]
)
def test_the_look_lets_others_pass(code: str) -> None:
    assert not without_encoding(code)
