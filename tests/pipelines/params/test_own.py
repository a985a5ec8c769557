"""Components of one's own in params.yaml, called by where they are."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fm import components
from fm.components import ANY
from pipelines import params
from pipelines.registry.wording import in_words
from tests.pipelines.params.written import changed

PATHS = """
from torch import Tensor

from fm.components import option
from fm.paths import Path


class Squared(Path):
    power: float = option(2.0, above=0, most=10, says="exponent of t")

    def alpha(self, t: Tensor) -> Tensor:
        return t**self.power

    def sigma(self, t: Tensor) -> Tensor:
        return 1 - t
"""
NETS = """
from torch import nn

from fm.components import option
from fm.networks import Network


class Tiny(Network):
    depth: int = option(2, least=1, most=8)

    def build(self, shape, fields, until=False):
        return nn.Identity()
"""
OBJECTIVES = """
from fm.components import option
from fm.objectives import Objective


class Huber(Objective, says="the Huber loss of the velocity"):
    delta: float = option(1.0, above=0, most=100)

    def loss(self, network, batch, averaged):
        return network(batch.noise(), batch.draws.uniform(1, 0)[:, 0], batch.given).sum()
"""
OBJECTIVE = "methods.diffusion.objective"
PATH = f"{OBJECTIVE}.path"


@pytest.fixture
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "somebody").mkdir()
    for name, text in (
        ("paths", PATHS),
        ("nets", NETS),
        ("objectives", OBJECTIVES),
        ("broken", "1 / 0\n"),
        ("ends", "exit(3)\n"),
    ):
        (tmp_path / "somebody" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "somebody"]:
        del sys.modules[name]


@pytest.mark.usefixtures("_package")
def test_a_row_may_have_a_path_of_ones_own() -> None:
    choice = {"name": "somebody.paths:Squared", "power": 3}
    settings = params.parse(changed(PATH, choice))
    assert settings.methods["diffusion"].objective.path == choice
    assert components.build("path", choice).power == 3
    assert params.parse(changed(PATH, "somebody.paths:Squared")).methods["diffusion"].objective.path == choice["name"]


@pytest.mark.usefixtures("_package")
def test_a_network_of_ones_own_has_its_options_beside_its_kind() -> None:
    """And the sizes of the library's networks, null in params.yaml, are none of it."""
    content = changed("network.kind", "somebody.nets:Tiny")
    content["network"]["depth"] = 3
    settings = params.parse(content)
    assert settings.network.choice == {"name": "somebody.nets:Tiny", "depth": 3}
    assert params.flat(settings)["network.depth"] == 3
    assert components.build("network", settings.network.choice, ANY).depth == 3
    row = {"kind": "somebody.nets:Tiny", "depth": 4}
    assert params.parse(changed("methods.diffusion.network", row)).methods["diffusion"].network.model_dump() == row


@pytest.mark.usefixtures("_package")
def test_a_row_may_have_an_objective_of_ones_own() -> None:
    chosen = {"name": "somebody.objectives:Huber", "path": "somebody.paths:Squared", "delta": 2}
    settings = params.parse(changed(OBJECTIVE, chosen))
    objective = settings.methods["diffusion"].objective
    assert (objective.choice, objective.path, objective.target) == (chosen, chosen["path"], "velocity")
    made = components.build("objective", objective.choice)
    assert (made.delta, made.path.power) == (2, 2)
    assert in_words(objective).endswith(
        "the network is trained for the Huber loss of the velocity: "
        "`somebody.objectives:Huber(path=somebody.paths:Squared, delta=2)`."
    )


@pytest.mark.usefixtures("_package")
@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (PATH, "somebody.nowhere:Squared", "somebody.nowhere cannot be imported: ModuleNotFoundError: No module named"),
        (PATH, "somebody.broken:Squared", "somebody.broken cannot be imported: ZeroDivisionError: division by zero"),
        (PATH, "somebody.ends:Squared", "somebody.ends cannot be imported: SystemExit: 3"),
        (PATH, "fm.paths:Path", "path 'fm.paths:Path' cannot be made: it lacks alpha, sigma"),
        (PATH, "somebody.paths:Sqared", "no path 'somebody.paths:Sqared': somebody.paths has no class Sqared of that"),
        (PATH, "somebody.nets:Tiny", "no path 'somebody.nets:Tiny': somebody.nets has no class Tiny of that kind"),
        (PATH, {"name": "somebody.paths:Squared", "power": 0}, "power = 0: must be a number above 0 and at most 10"),
        ("methods.diffusion.network", {"kind": "somebody.nets:Tiny", "depht": 3}, "no option 'depht': it has depth"),
        (OBJECTIVE, {"name": "somebody.objectives:Huber", "delta": 2}, "'somebody.objectives:Huber' needs path"),
        (OBJECTIVE, {"name": "somebody.objectives:Huber", "path": "vp"}, "no path 'vp': must be one of cond_ot"),
        (
            OBJECTIVE,
            {"name": "regresion", "path": "cond_ot"},
            "no objective 'regresion': must be one of mean_flow, regression, shortcut; did",
        ),
        ("network.kind", "somebody.nets:Large", "no network 'somebody.nets:Large': somebody.nets has no class Large"),
    ],
)
def test_what_cannot_be_is_one_line(key: str, value: Any, says: str) -> None:
    with pytest.raises(params.ParamsError) as raised:
        params.parse(changed(key, value))
    assert str(raised.value).startswith(f"params.yaml: {key.partition('.kind')[0]}: ")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
