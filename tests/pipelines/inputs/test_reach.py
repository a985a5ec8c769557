"""Which definitions a program comes to, in made-up packages."""

from pathlib import Path
from textwrap import dedent

import pytest

from pipelines.inputs.components import Components
from pipelines.inputs.reach import Reach
from pipelines.inputs.sources import Code

FILES = {
    "fm/__init__.py": """
        def __getattr__(name):
            from fm.lazy import Lazy
            return Lazy
    """,
    "fm/lazy.py": "class Lazy: ...\nclass Other: ...",
    "fm/numbers.py": """
        def used(x):
            return helper(x)
        def helper(x):
            return x + 1
        def unused(x):
            return x - 1
    """,
    "fm/effects.py": "import os\nos.environ['X'] = '1'\ndef unused(): ...",
    "fm/words.py": "from fm.numbers import unused\ndef told(x): return unused(x)",
    "pipelines/__init__.py": "",
    "pipelines/page.py": """
        def page():
            return "page.j2"
    """,
    "pipelines/page.j2": "{% include 'part.j2' %}",
    "pipelines/part.j2": "part",
    "pipelines/other.j2": "other",
    "pipelines/train.py": """
        from typing import TYPE_CHECKING
        import fm.effects
        from fm import numbers
        from fm.numbers import used as by_another_name
        from fm.words import told
        if TYPE_CHECKING:
            from fm.lazy import Other
        CONSTANT = 3
        NOBODY = 4
        def run(main): main()
        def main(numbers_given: "Other") -> None:
            told(by_another_name(CONSTANT))
        def nobody():
            return NOBODY
        if __name__ == "__main__":
            run(main)
    """,
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        write(tmp_path, name, content)
    return tmp_path


def write(root: Path, name: str, content: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(dedent(content))


def digests(root: Path, *beside: str, program: str = "pipelines.train") -> dict[str, str]:
    reach = Reach(Code(root, ("fm", "pipelines", "own")), beside)
    reach.program(program)
    return reach.digests()


def change(root: Path, name: str, old: str, new: str) -> None:
    content = (root / name).read_text()
    assert old in content
    (root / name).write_text(content.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("fm/numbers.py", "x + 1", "x * 1"),
        ("fm/numbers.py", "x - 1", "x * 1"),  # by fm.words
        ("fm/effects.py", "'1'", "'2'"),
        ("pipelines/train.py", "CONSTANT = 3", "CONSTANT = 4"),
        ("pipelines/train.py", "fm.numbers import used as", "fm.numbers import unused as"),
    ],
)
def test_what_is_come_to_counts(root: Path, name: str, old: str, new: str) -> None:
    before = digests(root)
    change(root, name, old, new)
    assert {file for file, one in digests(root).items() if one != before.get(file)} >= {name}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("pipelines/train.py", "NOBODY = 4", "NOBODY = 5"),
        ("pipelines/train.py", "return NOBODY", "return 7"),
        ("fm/effects.py", "def unused(): ...", "def unused(): return 1"),
        ("fm/lazy.py", "class Other: ...", "class Other: x = 1"),
        ("fm/lazy.py", "class Lazy: ...", "class Lazy: x = 1"),
    ],
)
def test_what_is_not_come_to_does_not(root: Path, name: str, old: str, new: str) -> None:
    before = digests(root)
    change(root, name, old, new)
    assert digests(root) == before


def test_what_stands_beside_is_not_followed(root: Path) -> None:
    before = digests(root, "fm.words")
    change(root, "fm/numbers.py", "x - 1", "x * 1")
    assert digests(root, "fm.words") == before
    assert "fm/words.py" not in before
    change(root, "fm/numbers.py", "x + 1", "x - 1")
    assert digests(root, "fm.words") != before
    before = digests(root, "fm.words", "fm.numbers:helper")
    change(root, "fm/numbers.py", "x - 1", "x / 1")
    assert digests(root, "fm.words", "fm.numbers:helper") == before


def test_a_module_that_is_handed_on_counts_whole(root: Path) -> None:
    change(root, "pipelines/train.py", "return NOBODY", "return 7")
    change(root, "pipelines/train.py", "told(by_another_name(CONSTANT))", "told(numbers)")
    change(root, "fm/words.py", "from fm.numbers import unused\n", "unused = print\n")
    before = digests(root)
    change(root, "fm/numbers.py", "x - 1", "x * 1")
    assert digests(root) != before
    # A parameter of the same name is no module.
    change(root, "pipelines/train.py", "numbers_given", "numbers")
    before = digests(root)
    change(root, "fm/numbers.py", "x * 1", "x / 1")
    assert digests(root) == before


@pytest.mark.parametrize("line", ["from fm import Lazy\n            Lazy()", "import fm\n            fm.Lazy()"])
def test_what_a_package_makes_when_it_is_asked_counts(root: Path, line: str) -> None:
    change(root, "pipelines/train.py", "told(by_another_name(CONSTANT))", line.replace("            ", "    "))
    before = digests(root)
    change(root, "fm/lazy.py", "class Lazy: ...", "class Lazy: x = 1")
    assert digests(root) != before


def test_a_module_that_its_own_package_imports_by_its_name_counts(root: Path) -> None:
    write(root, "fm/__init__.py", "from fm import effects, numbers\nnumbers.used(1)\n")
    before = digests(root)
    change(root, "fm/numbers.py", "x + 1", "x - 1")
    assert digests(root) != before


def test_files_that_are_named_count_with_those_they_name(root: Path) -> None:
    write(root, "pipelines/compare.py", "from pipelines.page import page\nif __name__ == '__main__':\n    page()")
    before = digests(root, program="pipelines.compare")
    assert {"pipelines/page.j2", "pipelines/part.j2"} <= before.keys()
    assert "pipelines/other.j2" not in before
    change(root, "pipelines/part.j2", "part", "another")
    assert digests(root, program="pipelines.compare") != before


COMPONENTS = {
    "fm/components.py": "class Component: ...\ndef build(kind, choice): ...",
    "fm/paths.py": """
        from fm.components import Component, build
        class Path(Component, kind="path"):
            def at(self, t): return helper(t)
        def helper(t): return t + 1
        class Straight(Path, name="straight", says="words"):
            def at(self, t): return t + 2
        class Curved(Path, name="curved"):
            def at(self, t): return own_helper(t)
        def own_helper(t): return t + 3
        class Round(Curved, name="round"):
            def at(self, t): return t + 4
    """,
    "fm/codecs.py": """
        from fm.components import Component, build
        class Codec(Component, kind="codec"):
            scale = 1
        class Pixels(Codec, name="pixels"):
            scale = 2
        class Latents(Codec, name="latents"):
            scale = 3
    """,
    "fm/learn.py": """
        from fm.codecs import Codec
        from fm.paths import Path, build
        def learn(path, codec: Codec): return build("path", path)
    """,
    "fm/more.py": """
        from fm import paths
        class Zigzag(paths.Path, name="zigzag"):
            def at(self, t): return t + 5
    """,
    "own/paths.py": """
        from fm.paths import Path
        class Squared(Path):
            def at(self, t): return t * factor()
        class Cubed(Path):
            def at(self, t): return t - 2
        def factor(): return 5
    """,
    "pipelines/train.py": """
        from fm.learn import learn
        if __name__ == "__main__":
            learn(1, 2)
    """,
}


@pytest.fixture
def with_components(root: Path) -> Path:
    for name, content in COMPONENTS.items():
        write(root, name, content)
    return root


def of_settings(root: Path, settings: object) -> dict[str, str]:
    code = Code(root, ("fm", "pipelines", "own"))
    reach = Reach(code, {"fm.components"})
    reach.program("pipelines.train")
    Components(code).follow(reach, settings)
    return reach.digests()


@pytest.mark.parametrize(
    ("settings", "name", "number", "counts"),
    [
        ({"path": "straight"}, "fm/paths.py", "t + 1", True),
        ({"path": "straight"}, "fm/paths.py", "t + 2", True),
        ({"path": "straight"}, "fm/paths.py", "t + 3", False),
        ({"path": "straight"}, "fm/paths.py", "t + 4", False),
        ({"rows": [{"path": {"name": "curved"}}]}, "fm/paths.py", "t + 3", True),
        ({"path": {"name": "curved"}}, "fm/paths.py", "t + 2", False),
        ({"path": "round"}, "fm/paths.py", "t + 3", True),  # its base
        ({"path": {"name": "curved", "before": "straight"}}, "fm/paths.py", "t + 2", True),  # an option of its own
        ({"path": {"name": "curved", "before": {"name": "round"}}}, "fm/paths.py", "t + 4", True),
        ({"path": "zigzag"}, "fm/more.py", "t + 5", True),
        ({"path": "own.paths:Squared"}, "own/paths.py", "return 5", True),
        ({"path": "own.paths:Squared"}, "own/paths.py", "t - 2", False),
        ({"path": "own.paths:Squared"}, "fm/paths.py", "t + 1", True),
        ({"path": "straight"}, "own/paths.py", "return 5", False),
        ({"path": "straight"}, "fm/codecs.py", "scale = 2", True),  # of which settings say nothing
        ({"path": "straight"}, "fm/codecs.py", "scale = 3", True),
        ({"path": "straight", "codec": "pixels"}, "fm/codecs.py", "scale = 3", False),
    ],
)
def test_components_count_that_settings_use(
    with_components: Path, settings: object, name: str, number: str, counts: bool
) -> None:
    before = of_settings(with_components, settings)
    change(with_components, name, number, number.replace(number[-1], "9"))
    assert (of_settings(with_components, settings) != before) is counts


@pytest.mark.parametrize(
    "code",
    [
        "learn(path='curved')",
        "learn(path={'name': 'curved'})",
        "build('path', 'curved')",
        "(lambda path='curved': learn(path))()",
        "(lambda *, path='curved': learn(path))()",
    ],
)
def test_components_count_that_the_code_names_by_their_kind(with_components: Path, code: str) -> None:
    change(with_components, "pipelines/train.py", "learn(1, 2)", code)
    before = of_settings(with_components, {"path": "straight"})
    change(with_components, "fm/paths.py", "t + 3", "t + 9")
    assert of_settings(with_components, {"path": "straight"}) != before


def test_what_a_component_says_of_itself_is_words(with_components: Path) -> None:
    before = of_settings(with_components, {"path": "straight"})
    change(with_components, "fm/paths.py", 'says="words"', 'says="others"')
    assert of_settings(with_components, {"path": "straight"}) == before


USER = """
    {}
    class Squared(Path):
        def at(self, t): return {}
"""
HELPER = {"own/helpers.py": "def helper(t): return t * 3"}
TABLE = """
    TABLE = {}
    def listed(one):
        TABLE[one.__name__] = one
        return one
"""
ROUNDABOUT: dict[str, tuple[str, str, dict[str, str]]] = {
    "a relative import": ("from .helpers import helper", "helper(t)", HELPER),
    "a module, relatively": ("from . import helpers", "helpers.helper(t)", HELPER),
    "all names": ("from own.helpers import *", "helper(t)", HELPER),
    "all names of all names": (
        "from own.more import helper",
        "helper(t)",
        HELPER | {"own/more.py": "from .helpers import *"},
    ),
    "one of two imports": (
        """
    try:
        from own.helpers import helper
    except ImportError:
        from own.slow import helper
    """,
        "helper(t)",
        HELPER | {"own/slow.py": "def helper(t): return t"},
    ),
    "imports of one name in two methods": (
        "",
        """0
        def one(self, t):
            from own.helpers import helper
            return helper(t)
        def other(self, t):
            from own.slow import helper
            return helper(t)""",
        HELPER | {"own/slow.py": "def helper(t): return t"},
    ),
    "a decorator that keeps": (f"{TABLE}\n    @listed\n    def helper(t): return t * 3", "TABLE['helper'](t)", {}),
    "of a class": (
        f"{TABLE}\n    @listed\n    class Helper:\n        def __call__(self, t): return t * 3",
        "TABLE['Helper']()(t)",
        {},
    ),
    "a call that keeps": ("ALL = []\n    def helper(t): return t * 3\n    _ = ALL.append(helper)", "ALL[0](t)", {}),
    "what type checkers do not see": (
        """
    from typing import TYPE_CHECKING
    if TYPE_CHECKING:
        from own.slow import helper
    else:
        def helper(t): return t * 3
    """,
        "helper(t)",
        {},
    ),
    "what is not done by a program": (
        "BY = [1]\n    if __name__ != '__main__':\n        BY[0] = 1 * 3",
        "t * BY[0]",
        {},
    ),
    "a class's attribute of the same name": ("from own.helpers import helper", "0\n        helper = helper", HELPER),
    "evaluated text": ("def helper(t): return t * 3", "eval('helper(t)')", {}),
    "a module by its name": ("import importlib", "importlib.import_module('own.helpers').helper(t)", HELPER),
    "of those that are imported": (
        "import sys\n    import own.helpers",
        "sys.modules['own.helpers'].helper(t)",
        HELPER,
    ),
    "a table of what a package gives": (
        "import own.front",
        "own.front.helper(t)",
        HELPER | {"own/front.py": "FRONT = {'helper': 'own.helpers'}\ndef __getattr__(name): return FRONT[name]"},
    ),
    "a component by its name": (
        "",
        "Path.of('steep').at(t)",
        {"fm/steep.py": "import fm.paths\nclass Steep(fm.paths.Path, name='steep'):\n    at = lambda self, t: t * 3"},
    ),
    "a file in a folder": ("", "open(HERE / 'tables' / 'one.txt').read()", {"own/tables/one.txt": "t * 3"}),
    "a file by its path": ("", "open('own/one.txt').read()", {"own/one.txt": "t * 3"}),
}


@pytest.mark.parametrize(("before", "value", "files"), ROUNDABOUT.values(), ids=ROUNDABOUT)
def test_code_that_is_come_to_roundabout_counts(
    with_components: Path, before: str, value: str, files: dict[str, str]
) -> None:
    files = {"own/paths.py": f"from fm.paths import Path\n{dedent(USER.format(before, value))}", **files}
    for name, content in files.items():
        write(with_components, name, content)
    first = of_settings(with_components, {"path": "own.paths:Squared"})
    (name,) = [name for name, content in files.items() if "* 3" in content]
    change(with_components, name, "* 3", "* 4")
    assert of_settings(with_components, {"path": "own.paths:Squared"}) != first


def test_what_stands_beside_counts_by_what_it_does_when_it_is_imported(root: Path) -> None:
    before = digests(root, "fm.words")
    write(root, "fm/words.py", FILES["fm/words.py"] + "\nimport os\nos.environ['Y'] = '1'")
    assert digests(root, "fm.words") != before


def test_a_package_goes_before_a_module_of_its_name(root: Path) -> None:
    before = digests(root)
    write(root, "fm/numbers/__init__.py", "def used(x): return x")
    assert digests(root) != before
