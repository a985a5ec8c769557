"""The section `network`."""

import pytest
import torch
import yaml

from flows import settings
from fm.conditions import Label, Sequence, Spec
from fm.networks import Network
from pipelines import params
from pipelines.project import ROOT
from tests.pipelines.params.written import changed

RECIPES = [None, *sorted(file.stem for file in (ROOT / "recipes").glob("*.yaml"))]


@pytest.mark.parametrize(("size", "value"), [("width", 1_000_000), ("blocks", 1_000), ("multipliers", [1, 1000])])
def test_a_network_that_no_memory_holds_is_refused(size: str, value: int | list[int]) -> None:
    with pytest.raises(params.ParamsError, match=rf"network: network 'unet': {size} = .*from"):
        params.parse(changed(f"network.{size}", value))


def test_sizes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(params.ParamsError, match="network: width 96 is not a multiple of heads 5"):
        params.parse(changed("network", {"kind": "transformer", "width": 96, "heads": 5}))


OF_OTHER_DATA = {"turbulence": (2, 32, 32), "moving-garments": (1, 16, 32, 32), "furniture-voxels": (1, 32, 32, 32)}
"""A datum of recipes whose data are no pictures, as it is modelled."""


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipes_networks_fit_its_data(recipe: str | None) -> None:
    given = {} if recipe is None else settings.read_recipe(recipe, ROOT)
    chosen = params.parse(yaml.safe_load(settings.merged((ROOT / params.FILE).read_text(), given, {})))
    size = chosen.dataset.image_size
    shape = OF_OTHER_DATA[chosen.dataset.name] if size is None else (chosen.dataset.channels, size, size)
    is_text = isinstance(chosen.dataset.condition, params.Captions)
    fields: dict[str, Spec] = {"text": Sequence(width=384, length=24)} if is_text else {"label": Label(10)}
    with torch.device("meta"):  # sizes without numbers
        for method in chosen.methods.values():
            Network.of(method.network.choice).build(shape, fields)
