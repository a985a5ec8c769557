import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from fm import components
from fm.components import ANY, Component, build, described, find, label, option, own_place, parts, read, schema


class Flavour(Component, ABC, kind="flavour"):
    columns: ClassVar = {"colour": "colour"}
    colour = "white"

    @abstractmethod
    def taste(self) -> str: ...


class Plain(Flavour, name="plain", says="no flavour at all"):
    def taste(self) -> str:
        return "nothing"


class Fruit(Flavour, name="fruit", title="Fruit", says="that of a fruit", source="a garden", formula="$x$"):
    """It is sweet."""

    colour = "red"
    sugar: float = option(2.0, above=0, most=100, says="grams of sugar")
    kind_of: str = option("apple", choices=("apple", "pear"))
    pieces: tuple[int, ...] = option((1, 2), least=1, most=9, length=(1, 3))
    bound: float | None = option(None, above=0)

    def taste(self) -> str:
        return self.kind_of

    def check(self) -> None:
        if self.sugar > 50 and self.kind_of == "pear":
            raise ValueError("a pear has less sugar")


class Ice(Component, kind="ice"):
    pass


class Scoop(Ice, name="scoop", says="a scoop"):
    flavour: Flavour
    size: int = option(1, least=1, most=3)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(components.HOMES, "flavour", "fm.components")
    monkeypatch.setitem(components.HOMES, "ice", "fm.components")


def test_a_choice_is_a_name_or_a_name_with_options() -> None:
    assert parts("fruit") == ("fruit", {})
    assert build("flavour", "fruit") == Fruit(2.0)
    assert build("flavour", {"name": "fruit", "sugar": "1e1", "pieces": [3]}) == Fruit(sugar=10.0, pieces=(3,))
    assert Flavour.of("plain") == Plain()


def test_what_is_read_is_what_can_be_written_again() -> None:
    choice = {"name": "fruit", "sugar": "1e1", "pieces": (3,), "bound": None}
    assert read("flavour", choice) == {"name": "fruit", "sugar": 10.0, "pieces": [3]}
    assert read("flavour", {"name": "plain"}) == "plain"
    assert Fruit().choice == "fruit"
    assert Fruit(pieces=(3,)).choice == {"name": "fruit", "pieces": [3]}


def test_a_label_is_one_word() -> None:
    assert label({"name": "fruit", "sugar": 3.0, "pieces": [1, 2], "bound": None}) == "fruit-pieces1x2-sugar3"
    assert label({"name": "my_package.flavours:Mint", "kind": "a b/c"}) == "Mint-kinda_b_c"


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ("fruits", r"no flavour 'fruits': must be one of plain, fruit; did you mean fruit\?"),
        ("zzz", r"no flavour 'zzz': must be one of plain, fruit$"),
        ({"sugar": 1}, "must be a name, or have a name"),
        (3, "3: must be a name, or have a name"),
        ({"name": "plain", "sugar": 1}, "flavour 'plain' has no option 'sugar': it has none"),
        ({"name": "fruit", "suger": 1}, r"'fruit' has no option 'suger': it has sugar, .*; did you mean sugar\?"),
        ({"name": "fruit", "sugar": 0}, "flavour 'fruit': sugar = 0: must be a number above 0 and at most 100"),
        ({"name": "fruit", "bound": 0}, "flavour 'fruit': bound = 0: must be a number above 0, or null"),
        ({"name": "fruit", "sugar": 60, "kind_of": "pear"}, "a pear has less sugar"),
        (
            "no_such_package:Mint",
            "flavour 'no_such_package:Mint' is not the library's: if you trust it, import no_such_package first",
        ),
        ("os:path", "no flavour 'os:path': os has no class path of that kind"),
        ("builtins:object", "builtins has no class object of that kind"),
        ("fm.components:Component", "has no class Component of that kind"),
        (f"{__name__}:Flavour", "cannot be made: it lacks taste"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(choice: components.Choice, says: str) -> None:
    with pytest.raises(ValueError, match=says) as raised:
        build("flavour", choice)
    assert "\n" not in str(raised.value)


def test_options_from_python_are_checked_and_converted_too() -> None:
    assert Fruit(sugar="3").sugar == 3.0  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"flavour 'fruit': pieces = .*: must be a list of 1 to 3 entries, each"):
        Fruit(pieces=())
    with pytest.raises(ValueError, match="a pear has less"):
        Fruit(sugar=60.0, kind_of="pear")


def test_a_component_may_have_components_as_options() -> None:
    scoop = build("ice", {"name": "scoop", "flavour": {"name": "fruit", "sugar": 3}})
    assert scoop == Scoop(Fruit(3.0))
    assert scoop.choice == {"name": "scoop", "flavour": {"name": "fruit", "sugar": 3}}
    assert Scoop(flavour="plain") == Scoop(Plain())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ice 'scoop' needs flavour"):
        build("ice", "scoop")
    with pytest.raises(ValueError, match=r"ice 'scoop': flavour = no flavour 'plan': .* did you mean plain"):
        Scoop(flavour="plan")  # type: ignore[arg-type]


def test_a_field_that_no_option_can_be_is_told_when_it_is_made() -> None:
    class Odd(Flavour):
        table: dict[str, int] = option(None)

        def taste(self) -> str:
            return ""

    with pytest.raises(TypeError, match=r"Odd: table: an option cannot be of type dict"):
        Odd()


def test_no_two_have_the_same_name() -> None:
    with pytest.raises(TypeError, match="test_components:Plain is the flavour 'plain' already"):

        class Another(Flavour, name="plain"):
            pass


def test_what_is_told_of_a_kind() -> None:
    assert described("flavour") == []  # not the library's
    names = [one["const"] for one in schema("flavour")["anyOf"] if "const" in one]
    assert names == ["plain", "fruit"]
    (fruit,) = [
        one for one in schema("flavour")["anyOf"] if one.get("properties", {}).get("name") == {"const": "fruit"}
    ]
    assert fruit["properties"]["sugar"]["maximum"] == 100
    assert fruit["additionalProperties"] is False


# One's own.

MINT = """
from {test} import Flavour
class Mint(Flavour):
    leaves: int = 3
    def taste(self): return "mint" * self.leaves
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, as an installed package would be, with the module mint."""
    (tmp_path / "mint.py").write_text(MINT.format(test=__name__))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("mint", None)
    components.OWN["flavour"].pop("mint:Mint", None)


def test_ones_own_is_called_by_where_it_is(outside: Path) -> None:
    mint = build("flavour", {"name": "mint:Mint", "leaves": 2}, ANY)
    assert mint.taste() == "mintmint"
    assert mint.choice == {"name": "mint:Mint", "leaves": 2}
    assert own_place("flavour", "mint:Mint") == "mint:Mint"
    with pytest.raises(ValueError, match=r"flavour 'mint:Mint': leaves = 2\.5: must be a whole number"):
        build("flavour", {"name": "mint:Mint", "leaves": 2.5}, ANY)
    with pytest.raises(ValueError, match="mint has no class Mind of that kind"):
        build("flavour", "mint:Mind", ANY)


@pytest.mark.parametrize("own", [(), ["min"], ["mint:Mind"], "other mint", ["mint.mint"]])
def test_nothing_is_imported_that_is_not_named(outside: Path, own: list[str]) -> None:
    assert read("flavour", {"name": "mint:Mint", "leaves": []}, own) == {"name": "mint:Mint", "leaves": []}
    with pytest.raises(ValueError, match=r'import mint first, or name it .*, own=\["mint:Mint"\]'):
        build("flavour", "mint:Mint", own)
    assert "mint" not in sys.modules


@pytest.mark.parametrize("own", [["mint:Mint"], ["mint"], "mint", {"mint:Mint"}, ANY])
def test_what_is_named_is_imported(outside: Path, own: list[str]) -> None:
    assert build("flavour", "mint:Mint", own).taste() == "mint" * 3


def test_what_is_imported_already_needs_no_naming(outside: Path) -> None:
    import mint  # type: ignore[import-not-found]

    assert type(build("flavour", "mint:Mint")) is mint.Mint


def test_an_import_that_fails_says_how(outside: Path) -> None:
    (outside / "broken.py").write_text("1 / 0")
    with pytest.raises(ValueError, match="flavour broken:Mint: broken cannot be imported: ZeroDivisionError: division"):
        build("flavour", "broken:Mint", ANY)
    with pytest.raises(ValueError, match="nowhere cannot be imported: ModuleNotFoundError"):
        build("flavour", "nowhere:Mint", ANY)


def test_a_modules_own_getattr_is_not_asked(outside: Path) -> None:
    (outside / "lazy.py").write_text("def __getattr__(name): raise SystemExit(name)")
    import lazy  # type: ignore[import-not-found]  # noqa: F401

    with pytest.raises(ValueError, match="lazy has no class Mint"):
        build("flavour", "lazy:Mint")


def test_a_package_can_bring_several_under_names(outside: Path) -> None:
    info = outside / "flavours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flavours\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fm.flavour]\nmint = mint:Mint\n")

    assert own_place("flavour", "mint") == "mint:Mint"
    assert {"const": "mint", "description": "mint:Mint"} in schema("flavour")["anyOf"]
    with pytest.raises(ValueError, match=r"must be one of plain, fruit, mint; did you mean mint\?"):
        build("flavour", "mints")
    with pytest.raises(ValueError, match="flavour 'mint' is not the library's"):
        build("flavour", "mint")
    assert find("flavour", "mint") is None
    assert build("flavour", {"name": "mint", "leaves": 1}, ["mint"]).taste() == "mint"


def test_components_need_no_torch() -> None:
    code = "import sys, fm.components; sys.exit('torch' in sys.modules or 'pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
